"""Why bounds of an A/B test are not believed: what is missing, rare or rests on a single unit.

Intervals of means say nothing of values that no unit has had yet. With ``n`` units, a larger value
of which none was seen has a probability of at most ``-ln(alpha) / n`` (the "rule of three", Hanley
and Lippman-Hand, JAMA 249 (1983) 1743), at all looks together, since ``(1 - p) ** -n`` is a
martingale up to the first such value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..formatting import amount
from ..policy.promotion import ABPolicy, OutcomeDemand
from ..statistics.exact import ExactSum

InterimAnalysis = Mapping[str, Any]

#: Without a bound, a rare value is taken to be up to so many times the largest one seen.
RARE_FACTOR = 30.0
#: More of an arm's variance in one unit says that its tail has not been seen.
_MOST_SPREAD = 0.25


def rests_on_one(policy: ABPolicy, item: OutcomeDemand, look: InterimAnalysis) -> str:
    """Which arm's outcome is mostly one unit's; empty where none is."""
    for who in ("champion", "challenger"):
        weights = _weights(item, look, who)
        if weights.get("share", 0.0) > policy.max_unit_share:
            return (
                f"one unit of the {who} holds {weights['share']:.0%} of its total, and the policy "
                f"allows {policy.max_unit_share:.0%}; set a bound, or leave the unit out"
            )
        if weights.get("spread", 0.0) > _MOST_SPREAD:
            return (
                f"one unit of the {who} makes {weights['spread']:.0%} of its variance: how often "
                "such values occur is not known yet; set a bound"
            )
    return ""


def unseen_values(policy: ABPolicy, item: OutcomeDemand, look: InterimAnalysis) -> float:
    """By how much values that have not occurred yet may make the difference worse, at most."""
    if item.kind == "proportion":
        return 0.0
    largest = {who: _largest(item, look, who) for who in ("champion", "challenger")}
    least = min(_weights(item, look, who).get("smallest", 0.0) for who in largest)
    most = RARE_FACTOR * max(*largest.values(), -least)
    if item.bound is not None:
        most = item.bound
    worse, better = ("champion", "challenger") if item.higher_is_better else (
        "challenger", "champion"
    )  # fmt: skip
    allowance = (
        _rare(policy, look, worse) * max(most - largest[worse], 0.0) * _scale(item, look, worse)
    )
    if least < 0:
        allowance += _rare(policy, look, better) * (most + least) * _scale(item, look, better)
    return allowance


def unseen_sentence(item: OutcomeDemand, allowance: float) -> str:
    """Why there is no PASS, where values that have not occurred yet could undo it."""
    if item.bound is None:
        values = f"rare values up to {RARE_FACTOR:g} times the largest so far"
        advice = "; set a bound if such values cannot occur"
    else:
        values, advice = f"rare values up to the bound of {amount(item.bound)}", ""
    return f"{values} could make the outcome worse by {amount(allowance)}{advice}"


def _weights(item: OutcomeDemand, look: InterimAnalysis, who: str) -> Mapping[str, float]:
    weights: Mapping[str, float] = look[who]["outcomes"][item.name].get("weights", {})
    return weights


def _largest(item: OutcomeDemand, look: InterimAnalysis, who: str) -> float:
    """The largest value of a unit; where a report does not hold it, what it is at most."""
    weights = _weights(item, look, who)
    if "largest" in weights:
        return max(weights["largest"], 0.0)
    return math.sqrt(float(ExactSum.parse(look[who]["outcomes"][item.name]["squares"]).fraction))


def _rare(policy: ABPolicy, look: InterimAnalysis, who: str) -> float:
    units = int(look[who]["units"])
    return min(1.0, -math.log(policy.alpha) / max(units, 1))


def _scale(item: OutcomeDemand, look: InterimAnalysis, who: str) -> float:
    """The divisor of one unit's value, in a ratio."""
    if item.per is None:
        return 1.0
    per = float(ExactSum.parse(look[who]["outcomes"][item.name]["per"]).fraction)
    return float(look[who]["units"]) / per if per > 0 else math.inf
