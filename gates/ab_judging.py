"""The verdict of an A/B test from its sums after each day."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from model_lifecycle.registry.rules.evidence import Verdict

from .policies import ABPolicy, OutcomeDemand
from .report import Check, MetricRow
from .statistics.asymptotic import rho, units_needed
from .statistics.exact import ExactSum
from .statistics.sample_ratio import anytime_p
from .statistics.two_arms import Arm, Difference, difference, mean_arm, ratio_arm
from .verdicts import from_bounds, latched
from .wording import amount, count, interval

#: An alarm about the split of units; of so many looks together.
_RATIO_LEVEL = 0.01
_TOLERATED = 0.01

Look = Mapping[str, Any]


def judge_arms(
    policy: ABPolicy, looks: Sequence[Look]
) -> tuple[tuple[MetricRow, ...], list[dict[str, Any]]]:
    """A row for each outcome, and its interval after each day."""
    rows, shown = [], []
    for item in policy.outcomes:
        found = [(look, *_difference(policy, item, look)) for look in looks]
        verdicts = [_verdict(policy, item, number, *each) for number, each in enumerate(found, 1)]
        verdict, fallen = latched(verdicts)
        rows.append(_row(policy, item, found, verdict, fallen))
        shown.append(_trajectory(policy, item, found, verdict, fallen))
    return tuple(rows), shown


def arm_checks(
    policy: ABPolicy, looks: Sequence[Look], counts: Mapping[str, int]
) -> tuple[Check, ...]:
    """Whether the experiment is one: the split is the intended one, units stay in their arm."""
    shares = (1 - policy.share, policy.share)
    p = min((anytime_p(_units(look), shares) for look in looks), default=1.0)
    champion, challenger = _units(looks[-1]) if looks else (0, 0)
    split = (
        f"{count(champion)} units saw the champion and {count(challenger)} the challenger, meant "
        f"{shares[0]:.0%} to {shares[1]:.0%} (anytime p {amount(p)})"
    )
    crossed = looks[-1]["crossed"] if looks else 0
    every = champion + challenger + crossed
    checks = [
        Check("sample ratio", True, split)
        if p >= _RATIO_LEVEL
        else Check(
            "sample ratio", False, f"{split}: something other than chance decides who is counted"
        ),
        _share("units in both arms", crossed, every, "units were seen in both arms, left out"),
    ]
    if policy.salt is not None:
        checks.append(
            _share(
                "assignment",
                counts.get("misassigned", 0),
                counts.get("requests", 0),
                "requests were answered by the other arm than their unit's",
            )
        )
    checks.append(
        _share(
            "outcomes",
            counts.get("without_outcome", 0),
            counts.get("requests", 0),
            "requests have no outcome, counted as none",
            warning=True,
        )
    )
    checks += [
        Check(name, not number, f"{count(number)} requests {what} left out", None)
        for name, number, what in (
            ("duplicates", counts.get("duplicates", 0), "with a repeated id"),
            ("immature", counts.get("immature", 0), "whose outcomes may still be coming"),
            ("other versions", counts.get("of_other_versions", 0), "of other versions"),
        )
    ]
    return tuple(checks)


def _share(name: str, number: int, every: int, what: str, *, warning: bool = False) -> Check:
    message = f"{count(number)} of {count(every)} {what}"
    if not number:
        return Check(name, True, message)
    bad = number > _TOLERATED * every and not warning
    return Check(name, False, message, Verdict.INVALID if bad else None)


def _units(look: Look) -> tuple[int, int]:
    return look["champion"]["units"], look["challenger"]["units"]


def _arm(item: OutcomeDemand, found: Mapping[str, Any]) -> Arm:
    sums = {
        name: ExactSum.parse(text).fraction for name, text in found["outcomes"][item.name].items()
    }
    if item.per is None:
        return mean_arm(found["units"], sums["total"], sums["squares"])
    return ratio_arm(
        found["units"],
        sums["total"],
        sums["per"],
        (sums["squares"], sums["per_squares"]),
        sums["product"],
    )


def _difference(policy: ABPolicy, item: OutcomeDemand, look: Look) -> tuple[Arm, Arm, Difference]:
    """Oriented so that more is better."""
    champion, challenger = _arm(item, look["champion"]), _arm(item, look["challenger"])
    first, second = (champion, challenger) if item.higher_is_better else (challenger, champion)
    return (
        champion,
        challenger,
        difference(
            first,
            second,
            -item.margin,
            alpha=policy.alpha,
            alpha_less=policy.alpha / len(policy.outcomes),
            expected=policy.expected_units,
        ),
    )


def _too_little(policy: ABPolicy, days: int, look: Look) -> str:
    fewest = min(_units(look))
    if days < policy.min_days:
        return f"{days} of the {policy.min_days} days that the policy asks for"
    if fewest < policy.min_units:
        return (
            f"{count(fewest)} of the {count(policy.min_units)} units in each arm that the policy "
            "asks for"
        )
    return ""


def _verdict(
    policy: ABPolicy,
    item: OutcomeDemand,
    days: int,
    look: Look,
    champion: Arm,
    challenger: Arm,
    found: Difference,
) -> Verdict:
    if _too_little(policy, days, look) or not math.isfinite(found.standard_error):
        return Verdict.INCONCLUSIVE
    if found.standard_error == 0:
        return Verdict.INCONCLUSIVE
    return from_bounds(found.lower, found.upper, -item.margin)


def _row(
    policy: ABPolicy,
    item: OutcomeDemand,
    found: Sequence[tuple[Look, Arm, Arm, Difference]],
    verdict: Verdict,
    fallen: int | None,
) -> MetricRow:
    title = f"{item.kind} of {item.name}"
    if not found:
        return MetricRow(
            item.name, title, "comparison", Verdict.INCONCLUSIVE, "there are no units: INCONCLUSIVE"
        )
    look, champion, challenger, last = found[-1]
    units = sum(_units(look))
    bounds = interval(last.lower, last.upper)
    change = (
        f"improved by {amount(last.estimate)} {bounds}"
        if last.estimate >= 0
        else f"worsened by {amount(-last.estimate)} (improvement {amount(last.estimate)} {bounds})"
    )
    sentence = (
        f"{title[0].upper()}{title[1:]} {change} over {count(units)} units in {len(found)} days; "
        f"margin {amount(item.margin)}: {verdict}"
    )
    forecast = _forecast(policy, item, last, units)
    if verdict is Verdict.INCONCLUSIVE:
        why = _too_little(policy, len(found), look)
        if not why and forecast is not None:
            days = math.ceil(len(found) * forecast / max(units, 1))
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
        champion=champion.mean,
        challenger=challenger.mean,
        p_pass=min(each[3].p_greater for each in found),
        p_fail=min(each[3].p_less for each in found),
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
    found: Sequence[tuple[Look, Arm, Arm, Difference]],
    verdict: Verdict,
    fallen: int | None,
) -> dict[str, Any]:
    points = []
    for number, (look, _, _, each) in enumerate(found, 1):
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
