"""The verdict of an A/B test from its sums after each day."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from model_lifecycle.registry.domain.evidence import Verdict

from ..formatting import amount, count, interval
from ..policy.promotion import ABPolicy, OutcomeDemand
from ..report import MetricRow
from ..statistics.asymptotic import rho, units_needed
from ..statistics.exact import ExactSum
from ..statistics.two_arms import Arm, Difference, difference, mean_arm, ratio_arm
from .ab_credibility import rests_on_one, unseen_sentence, unseen_values
from .decision import from_bounds, latch

InterimAnalysis = Mapping[str, Any]

_SUMS = ("total", "squares", "per", "per_squares", "product")


def judge_arms(
    policy: ABPolicy, looks: Sequence[InterimAnalysis]
) -> tuple[tuple[MetricRow, ...], list[dict[str, Any]]]:
    """A row for each outcome, and its interval after each day."""
    rows, trajectories = [], []
    for item in policy.outcomes:
        analyses = [_judged(policy, item, number, look) for number, look in enumerate(looks, 1)]
        verdict, fallen = latch([each.verdict for each in analyses])
        rows.append(_row(policy, item, analyses, verdict, fallen))
        trajectories.append(_trajectory(policy, item, analyses, verdict, fallen))
    return tuple(rows), trajectories


def _units(look: InterimAnalysis) -> tuple[int, int]:
    return look["champion"]["units"], look["challenger"]["units"]


@dataclass(frozen=True)
class _Judged:
    """One outcome at one look; ``doubt`` says why there is no verdict."""

    look: InterimAnalysis
    champion: Arm
    challenger: Arm
    difference: Difference
    verdict: Verdict
    doubt: str = ""


def outcome_arm(item: OutcomeDemand, arm: Mapping[str, Any], sums: str | None = None) -> Arm:
    """The arm's mean and variance, from its sums, or from those under the name ``sums``."""
    stated = arm["outcomes"][item.name]
    if sums is not None:
        stated = stated.get(sums, stated)
    parts = {name: ExactSum.parse(stated[name]).fraction for name in _SUMS if name in stated}
    if item.per is not None:
        return ratio_arm(
            arm["units"],
            parts["total"],
            parts["per"],
            (parts["squares"], parts["per_squares"]),
            parts["product"],
        )
    mean = mean_arm(arm["units"], parts["total"], parts["squares"])
    if item.kind != "proportion" or mean.n < 2:
        return mean
    # One more unit of each kind: an arm that has had no event yet is not one that cannot have any.
    share = (float(parts["total"]) + 1) / (mean.n + 2)
    return replace(mean, variance=max(mean.variance, share * (1 - share)))


def _difference(
    policy: ABPolicy, item: OutcomeDemand, champion: Arm, challenger: Arm
) -> Difference:
    """Oriented so that more is better."""
    first, second = (champion, challenger) if item.higher_is_better else (challenger, champion)
    return difference(
        first,
        second,
        -item.margin,
        alpha=policy.alpha,
        alpha_less=policy.alpha / len(policy.outcomes),
        expected=policy.expected_units,
    )


def _judged(policy: ABPolicy, item: OutcomeDemand, number: int, look: InterimAnalysis) -> _Judged:
    champion, challenger = (outcome_arm(item, look[who]) for who in ("champion", "challenger"))
    gap = _difference(policy, item, champion, challenger)
    verdict, doubt = Verdict.INCONCLUSIVE, _too_little(policy, look.get("days", number), look)
    if not doubt and math.isfinite(gap.standard_error) and gap.standard_error > 0:
        verdict = from_bounds(gap.lower, gap.upper, -item.margin)
        doubt = _doubt(policy, item, look, verdict, gap)
    return _Judged(
        look, champion, challenger, gap, Verdict.INCONCLUSIVE if doubt else verdict, doubt
    )


def _doubt(
    policy: ABPolicy,
    item: OutcomeDemand,
    look: InterimAnalysis,
    verdict: Verdict,
    gap: Difference,
) -> str:
    """Why the verdict of the bounds is not believed; empty where it is."""
    if verdict is Verdict.INVALID:
        return ""
    doubt = rests_on_one(policy, item, look)
    if doubt or verdict is not Verdict.PASS:
        return doubt
    allowance = unseen_values(policy, item, look)
    if gap.lower - allowance <= -item.margin:
        return unseen_sentence(item, allowance)
    arms = {who: look[who]["outcomes"][item.name] for who in ("champion", "challenger")}
    if not any("worst" in arm for arm in arms.values()):
        return ""
    missing = sum(arm.get("missing", {}).get("requests", 0) for arm in arms.values())
    every = sum(look[who]["requests"] for who in arms)
    if missing <= policy.tolerated_missing * every:
        return ""
    worst = _difference(policy, item, *(outcome_arm(item, look[who], "worst") for who in arms))
    if worst.lower - allowance > -item.margin:
        return ""
    return (
        f"with the {count(missing)} missing outcomes at their worst, the improvement could be "
        f"{amount(worst.lower - allowance)}; set tolerated_missing in the policy if they are "
        "missing at random"
    )


def _too_little(policy: ABPolicy, days: int, look: InterimAnalysis) -> str:
    fewest = min(_units(look))
    if days < policy.min_days:
        return f"{days} of the {policy.min_days} days with both arms that the policy requires"
    if fewest < policy.min_units:
        return (
            f"{count(fewest)} of the {count(policy.min_units)} units in each arm that the policy "
            "requires"
        )
    return ""


def _row(
    policy: ABPolicy,
    item: OutcomeDemand,
    analyses: Sequence[_Judged],
    verdict: Verdict,
    fallen: int | None,
) -> MetricRow:
    title = f"{item.kind} of {item.name}"
    if not analyses:
        return MetricRow(
            item.name, title, "comparison", Verdict.INCONCLUSIVE, "there are no units: INCONCLUSIVE"
        )
    newest = analyses[-1]
    last, units = newest.difference, sum(_units(newest.look))
    bounds = interval(last.lower, last.upper)
    change = (
        f"improved by {amount(last.estimate)} {bounds}"
        if last.estimate >= 0
        else f"worsened by {amount(-last.estimate)} (improvement {amount(last.estimate)} {bounds})"
    )
    sentence = (
        f"{title[0].upper()}{title[1:]} {change} over {count(units)} units in {len(analyses)} "
        f"days; margin {amount(item.margin)}: {verdict}"
    )
    forecast = _forecast(policy, item, last, units)
    if verdict is Verdict.INCONCLUSIVE:
        why = newest.doubt
        if not why and forecast is not None:
            days = math.ceil(len(analyses) * forecast / max(units, 1))
            why = (
                f"if it goes on like this, a verdict takes about {count(forecast)} units in all, "
                f"{days} days"
            )
        sentence += f" ({why or 'too close to the margin to say how much more it would take'})"
    return MetricRow(
        name=item.name,
        title=title,
        kind="comparison",
        verdict=verdict,
        sentence=sentence,
        estimate=last.estimate,
        lower=last.lower,
        upper=last.upper,
        threshold=-item.margin if item.margin else 0.0,
        champion=newest.champion.mean,
        challenger=newest.challenger.mean,
        p_pass=min(each.difference.p_greater for each in analyses),
        p_fail=min(each.difference.p_less for each in analyses),
        rows=units,
        units=units,
        decided_at=None if fallen is None else fallen + 1,
        forecast=forecast if verdict is Verdict.INCONCLUSIVE else None,
    )


def _forecast(policy: ABPolicy, item: OutcomeDemand, last: Difference, units: int) -> int | None:
    better = last.estimate > -item.margin
    alpha = policy.alpha if better else policy.alpha / len(policy.outcomes)
    if not math.isfinite(last.standard_error) or not last.standard_error:
        return None
    spread = last.standard_error * math.sqrt(units)
    parameter = rho(2 * alpha, policy.expected_units)
    distance = abs(last.estimate + item.margin)
    return units_needed(distance, spread, alpha, parameter, most=100_000_000)


def _trajectory(
    policy: ABPolicy,
    item: OutcomeDemand,
    analyses: Sequence[_Judged],
    verdict: Verdict,
    fallen: int | None,
) -> dict[str, Any]:
    points = []
    for number, judged in enumerate(analyses, 1):
        look, each = judged.look, judged.difference
        if not math.isfinite(each.estimate):
            continue
        bounded = math.isfinite(each.lower)
        points.append(
            {
                "block": look["day"],
                "blocks": number,
                "requests": sum(_units(look)),
                "own": None,
                "own_requests": sum(_units(look)),
                "mean": each.estimate,
                "lower": each.lower if bounded else None,
                "upper": each.upper if bounded else None,
                "log10_e_pass": _log10(each.log_e_greater),
                "log10_e_fail": _log10(each.log_e_less),
            }
        )
    return {
        "claim": item.name,
        "title": f"{item.kind} of {item.name}",
        "comparative": True,
        "threshold": -item.margin if item.margin else 0.0,
        "passes": "above",
        "verdict": verdict.value,
        "decided_at": None if fallen is None else fallen + 1,
        "alpha": policy.alpha,
        "alpha_fail": policy.alpha / len(policy.outcomes),
        "points": points,
    }


def _log10(log_e: float) -> float:
    return min(max(log_e / math.log(10), -300.0), 300.0)
