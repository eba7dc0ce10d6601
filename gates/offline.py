"""Judging held-out rows, in one look: each claim by the method that fits its measure.

Single rows of a binary measure: Tango's test against the champion, Wilson's bounds against a
limit. Everything else, and everything in clusters: Student's t on the mean of x.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import norm

from model_lifecycle.registry.rules.evidence import Verdict

from .claims import Claim
from .findings import Finding
from .policies import ValidationPolicy
from .report import MetricRow
from .row_sums import RowSums
from .statistics import proportion, tango
from .statistics.rare_variance import ENOUGH_DIFFERING, least_variance
from .verdicts import DEMANDS, from_bounds
from .wording import count, plural

#: A forecast aims at being right four times of five.
_POWER = 0.8


@dataclass(frozen=True)
class _Bounds:
    estimate: float
    lower: float
    upper: float
    p_pass: float
    p_fail: float
    units: int


def judge_rows(
    policy: ValidationPolicy, claims: Sequence[Claim], sums: Sequence[RowSums]
) -> tuple[MetricRow, ...]:
    """One row a claim, and one a slice. FAIL is tested at alpha over the number of demands, and
    for slices over the number of slices."""
    known = {claim.key: claim for claim in claims}
    parts = [item for item in sums if known[item.claim].kind not in DEMANDS]
    demands = [item for item in sums if known[item.claim].kind in DEMANDS]
    return tuple(
        _row(policy, known[item.claim], item, policy.alpha / len(group))
        for group in (demands, parts)
        for item in group
    )


def _row(policy: ValidationPolicy, claim: Claim, sums: RowSums, alpha_fail: float) -> MetricRow:
    bounds = _bounds(policy, claim, sums, alpha_fail)
    too_little = _too_little(policy, claim, sums)
    verdict = (
        Verdict.INCONCLUSIVE
        if too_little
        else from_bounds(bounds.lower, bounds.upper, claim.threshold)
    )
    finding = Finding(
        claim=claim,
        verdict=verdict,
        estimate=bounds.estimate,
        lower=bounds.lower,
        upper=bounds.upper,
        p_pass=bounds.p_pass,
        p_fail=bounds.p_fail,
        rows=sums.rows,
        units=bounds.units,
        unit=policy.unit,
        things="rows",
        forecast=_forecast(policy.alpha, claim, bounds),
        too_little=too_little,
    )
    return finding.row(sums.champion_loss, sums.challenger_loss, sums.slice_value)


def _bounds(policy: ValidationPolicy, claim: Claim, sums: RowSums, alpha_fail: float) -> _Bounds:
    n, alpha = sums.rows, policy.alpha
    if claim.metric.binary and policy.unit == "row" and claim.bound is None:
        if not claim.comparative:
            return _proportion(claim, sums, alpha, alpha_fail)
        better, worse = sums.above, sums.below
        return _Bounds(
            (better - worse) / n,
            tango.lower_bound(better, worse, n, alpha),
            tango.upper_bound(better, worse, n, alpha_fail),
            tango.p_greater(better, worse, n, claim.threshold),
            tango.p_less(better, worse, n, claim.threshold),
            n,
        )
    least = least_variance(claim.threshold, claim.span, sums.above + sums.below)
    mean = sums.estimate.with_least_error(math.sqrt((least or 0.0) / n))
    return _Bounds(
        mean.estimate,
        mean.lower_bound(alpha),
        mean.upper_bound(alpha_fail),
        mean.p_greater(claim.threshold),
        mean.p_less(claim.threshold),
        mean.units,
    )


def _proportion(claim: Claim, sums: RowSums, alpha: float, alpha_fail: float) -> _Bounds:
    """A limit on the share of wrong answers; x is 1 or -1 for a wrong one, by orientation."""
    n, wrong = sums.rows, sums.above + sums.below
    null = abs(claim.threshold)
    if claim.sign == 1:
        return _Bounds(
            wrong / n,
            proportion.lower_bound(wrong, n, alpha),
            proportion.upper_bound(wrong, n, alpha_fail),
            proportion.p_greater(wrong, n, null),
            proportion.p_less(wrong, n, null),
            n,
        )
    return _Bounds(
        -wrong / n,
        -proportion.upper_bound(wrong, n, alpha),
        -proportion.lower_bound(wrong, n, alpha_fail),
        proportion.p_less(wrong, n, null),
        proportion.p_greater(wrong, n, null),
        n,
    )


def _too_little(policy: ValidationPolicy, claim: Claim, sums: RowSums) -> str:
    """Why no verdict may be made yet, in words; empty where it may."""
    if sums.slice_value is None and sums.rows < policy.min_rows:
        return f"the policy asks for at least {count(policy.min_rows)} rows"
    if policy.unit != "row" and sums.units < policy.min_units:
        units = plural(policy.unit, policy.min_units)
        return f"the policy asks for at least {policy.min_units} {units}"
    counted = claim.metric.binary and policy.unit == "row"
    differing = sums.above + sums.below
    if not counted and least_variance(claim.threshold, claim.span, differing) is None:
        return f"only {differing} rows tell anything; it takes {ENOUGH_DIFFERING}"
    return ""


def _forecast(alpha: float, claim: Claim, bounds: _Bounds) -> int | None:
    """Units after which a verdict is likely, the estimate and its spread staying as they are."""
    distance = abs(bounds.estimate - claim.threshold)
    reach = bounds.estimate - bounds.lower
    if not (distance > 0 and math.isfinite(reach) and reach > 0):
        return None
    wanted = float(norm.isf(alpha) + norm.ppf(_POWER))
    needed = bounds.units * (wanted * reach / (float(norm.isf(alpha)) * distance)) ** 2
    return math.ceil(needed) if needed < 1e9 else None
