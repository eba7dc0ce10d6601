"""Whether an A/B test is the experiment that it was meant to be, with outcomes to compare."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import fisher_exact

from model_lifecycle.registry.domain.evidence import Verdict

from ..formatting import amount, count, plural
from ..inference.two_sample import outcome_arm
from ..policy.promotion import ABPolicy, OutcomeDemand
from ..report import Check
from ..statistics.sample_ratio import anytime_p
from .traffic import rows_left_out

InterimAnalysis = Mapping[str, Any]

#: An alarm about the split of units; of so many looks together.
_RATIO_LEVEL = 0.01
_TOLERATED = 0.01
#: Shares of missing outcomes that differ more often than this by chance say nothing. It is looked
#: at daily: over 200 looks the alarm is false in about 1 % of tests.
_MISSING_LEVEL = 0.0005
#: An outcome is gone from an arm that has none where the other arm leads to expect so many.
_EXPECTED = 20
#: Means of arms are of different units only where they differ by so many standard errors.
_BEYOND_CHANCE = 4.0


def arm_checks(
    policy: ABPolicy, looks: Sequence[InterimAnalysis], counts: Mapping[str, int]
) -> tuple[Check, ...]:
    """All of them, in the order in which the report shows them."""
    last = looks[-1] if looks else None
    champion, challenger = _units(last)
    crossed = last["crossed"] if last else 0
    checks = [
        _sample_ratio(policy, looks),
        _share(
            "units in both arms",
            crossed,
            champion + challenger,
            "units have requests in both arms and count in the arm of their first request",
        ),
    ]
    if policy.salt is not None:
        checks.append(
            _share(
                "assignment",
                counts.get("misassigned", 0),
                counts.get("requests", 0),
                "requests were answered by the wrong arm for their unit",
            )
        )
    if last is not None:
        for item in policy.outcomes:
            checks += [*_missing(policy, item, last), *_level(policy, item, last)]
    if any(item.missing == "zero" for item in policy.outcomes):
        missing, every = counts.get("without_outcome", 0), counts.get("requests", 0)
        message = f"{count(missing)} of {count(every)} requests lack an outcome, which the policy"
        checks.append(Check("outcomes", not missing, f"{message} counts as 0", None))
    days, both = len(looks), last["days"] if last else 0
    checks.append(
        Check(
            "days of both arms",
            both == days,
            f"{count(both)} of {count(days)} {plural('day', days)} have units in both arms; "
            "the others are no part of the policy's days",
            None,
        )
    )
    checks += rows_left_out(counts)
    checks += [
        Check(name, not number, f"{count(number)} requests {what} left out", None)
        for name, number, what in (
            ("without unit", counts.get("without_unit", 0), f"without {policy.unit}"),
            ("duplicates", counts.get("duplicates", 0), "with a repeated id"),
            ("immature", counts.get("immature", 0), "whose outcomes may still be coming"),
            ("other versions", counts.get("of_other_versions", 0), "of other versions"),
        )
    ]
    return tuple(checks)


def _sample_ratio(policy: ABPolicy, looks: Sequence[InterimAnalysis]) -> Check:
    shares = (1 - policy.share, policy.share)
    p = min((anytime_p(_units(look), shares) for look in looks), default=1.0)
    champion, challenger = _units(looks[-1] if looks else None)
    split = (
        f"{count(champion)} units saw the champion and {count(challenger)} the challenger, planned "
        f"{shares[0]:.0%} to {shares[1]:.0%} (anytime p {amount(p)})"
    )
    if p >= _RATIO_LEVEL:
        return Check("sample ratio", True, split)
    return Check(
        "sample ratio", False, f"{split}: something other than chance decides who is counted"
    )


def _missing(policy: ABPolicy, item: OutcomeDemand, look: InterimAnalysis) -> list[Check]:
    """Outcomes that are missing, compared between the arms. Where the policy takes a missing one
    as 0, an arm without any outcome at all is still not one whose outcomes are all 0."""
    name = f"outcomes of {item.name}"
    arms = {who: look[who] for who in ("champion", "challenger")}
    requests = {who: arm["requests"] for who, arm in arms.items()}
    lacks = {who: _lacks(item, arm, "requests") for who, arm in arms.items()}
    if not any(lacks.values()):
        return [Check(name, True, "no request of either arm lacks its outcome")]
    shares = {who: lacks[who] / max(requests[who], 1) for who in arms}
    message = " and ".join(
        f"{count(lacks[who])} of {count(requests[who])} requests of the {who} ({shares[who]:.1%})"
        for who in arms
    )
    message = f"{message} lack {item.name}"
    lost = [who for who in arms if requests[who] and lacks[who] == requests[who]]
    if lost:
        return [Check(name, False, f"{message}: the outcome is missing from the {lost[0]}'s log")]
    if item.missing == "zero":
        return []
    worst = max(shares, key=shares.__getitem__)
    if shares[worst] > 1 - policy.min_outcome_coverage:
        return [
            Check(
                name,
                False,
                f"{message}, and the policy requires {policy.min_outcome_coverage:.1%} with one; a "
                "missing outcome counts as 0 only with missing: zero in the policy",
            )
        ]
    units = {who: (_lacks(item, arm, "units"), arm["units"]) for who, arm in arms.items()}
    gap = abs(shares["champion"] - shares["challenger"])
    table = [[missing, every - missing] for missing, every in units.values()]
    if gap > policy.max_missing_gap and fisher_exact(table).pvalue < _MISSING_LEVEL:
        return [
            Check(
                name,
                False,
                f"{message}: outcomes are missing more often in one arm, so the arms cannot be "
                "compared",
            )
        ]
    return [Check(name, False, f"{message}; a PASS must hold with them at their worst", None)]


def _lacks(item: OutcomeDemand, arm: Mapping[str, Any], what: str) -> int:
    return int(arm["outcomes"][item.name].get("missing", {}).get(what, 0))


def _level(policy: ABPolicy, item: OutcomeDemand, look: InterimAnalysis) -> list[Check]:
    """Outcomes of both arms are of one unit, and no arm has lost its outcome."""
    name = f"level of {item.name}"
    arms = {who: outcome_arm(item, look[who]) for who in ("champion", "challenger")}
    for who, other in (("champion", "challenger"), ("challenger", "champion")):
        nonzero = {
            arm: look[arm]["outcomes"][item.name].get("weights", {}).get("nonzero")
            for arm in (who, other)
        }
        every_lost = _lacks(item, look[who], "units") == look[who]["units"]
        if nonzero[who] == 0 and nonzero[other] and not every_lost:
            expected = nonzero[other] * look[who]["units"] / look[other]["units"]
            if expected >= _EXPECTED:
                return [
                    Check(
                        name,
                        False,
                        f"no unit of the {who} has {item.column}, and the {other}'s share leads to "
                        f"expect {expected:.0f}: the outcome is missing from its log",
                    )
                ]
    if item.kind == "proportion":
        return []
    means = {who: arm.mean for who, arm in arms.items()}
    first, second = means["champion"], means["challenger"]
    if not (math.isfinite(first) and math.isfinite(second)) or first * second <= 0:
        return []
    factor = max(first / second, second / first)
    error = math.sqrt(sum(arm.variance / arm.n for arm in arms.values()))
    message = (
        f"{item.name} is {amount(first)} in the champion's arm and {amount(second)} in the "
        "challenger's"
    )
    if factor <= policy.max_level_ratio or abs(first - second) <= _BEYOND_CHANCE * error:
        return [Check(name, True, message)]
    return [
        Check(
            name,
            False,
            f"{message}, {amount(factor)} times as much: the arms log it in different units",
        )
    ]


def _share(name: str, number: int, every: int, what: str) -> Check:
    message = f"{count(number)} of {count(every)} {what}"
    if not number:
        return Check(name, True, message)
    return Check(name, False, message, Verdict.INVALID if number > _TOLERATED * every else None)


def _units(look: InterimAnalysis | None) -> tuple[int, int]:
    return (0, 0) if look is None else (look["champion"]["units"], look["challenger"]["units"])
