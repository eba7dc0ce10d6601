"""Judging held-out rows, in one look: each hypothesis by the method that fits its measure.

Single rows of a binary measure: Tango's test against the champion, Wilson's bounds against a
limit. Everything else, and everything in clusters: Student's t on the mean of x.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import norm

from model_lifecycle.registry.domain.evidence import Verdict

from ..aggregates.holdout import HoldoutSummary
from ..formatting import count, plural
from ..policy.hypotheses import Hypothesis
from ..policy.promotion import ValidationPolicy
from ..report import DEMANDS, MetricRow
from ..statistics import proportion, tango
from ..statistics.rare_variance import ENOUGH_DIFFERING, least_variance
from .decision import from_bounds
from .results import TestResult

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

    def wider(self, other: _Bounds) -> _Bounds:
        """The estimate of ``other``, with the less decided bounds of both."""
        return _Bounds(
            other.estimate,
            min(self.lower, other.lower),
            max(self.upper, other.upper),
            max(self.p_pass, other.p_pass),
            max(self.p_fail, other.p_fail),
            other.units,
        )


def judge_rows(
    policy: ValidationPolicy, hypotheses: Sequence[Hypothesis], sums: Sequence[HoldoutSummary]
) -> tuple[MetricRow, ...]:
    """One row a hypothesis, and one a slice. FAIL is tested at alpha over the number of demands,
    and for slices over the number of slices."""
    known = {hypothesis.key: hypothesis for hypothesis in hypotheses}
    parts = [item for item in sums if known[item.claim].kind not in DEMANDS]
    demands = [item for item in sums if known[item.claim].kind in DEMANDS]
    groups: dict[str, list[HoldoutSummary]] = {}
    for item in demands:
        groups.setdefault(item.claim, []).append(item)
    rows = []
    for key, group in groups.items():
        rows.append(_demand(policy, known[key], group, policy.alpha / len(groups)))
    for item in parts:
        rows.append(_row(policy, known[item.claim], item, policy.alpha / len(parts)))
    return tuple(rows)


def _demand(
    policy: ValidationPolicy,
    hypothesis: Hypothesis,
    sums: Sequence[HoldoutSummary],
    alpha_fail: float,
) -> MetricRow:
    """A demand's row. One about the share of clusters holds for each of them: PASS takes all,
    FAIL any, each tested at its part of ``alpha_fail``; the row is that of the cluster which
    decides, of several the one furthest on the wrong side."""
    rows = [_row(policy, hypothesis, item, alpha_fail / len(sums)) for item in sums]
    order = (Verdict.FAIL, Verdict.INVALID, Verdict.INCONCLUSIVE, Verdict.PASS)
    deciding = next(verdict for verdict in order if any(row.verdict is verdict for row in rows))
    return max(
        (row for row in rows if row.verdict is deciding),
        key=lambda row: (row.estimate or 0.0) * (-1 if row.passes == "above" else 1),
    )


def _row(
    policy: ValidationPolicy, hypothesis: Hypothesis, sums: HoldoutSummary, alpha_fail: float
) -> MetricRow:
    bounds = _bounds(policy, hypothesis, sums, alpha_fail)
    too_little = _too_little(policy, hypothesis, sums)
    verdict = (
        Verdict.INCONCLUSIVE
        if too_little
        else from_bounds(bounds.lower, bounds.upper, hypothesis.threshold)
    )
    finding = TestResult(
        hypothesis=hypothesis,
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
        forecast=_forecast(policy.alpha, hypothesis, bounds),
        too_little=too_little,
    )
    return finding.row(sums.champion_loss, sums.challenger_loss, sums.slice_value)


def _bounds(
    policy: ValidationPolicy, hypothesis: Hypothesis, sums: HoldoutSummary, alpha_fail: float
) -> _Bounds:
    counted = hypothesis.metric.binary and policy.unit == "row" and hypothesis.bound is None
    if not counted:
        return _mean(policy, hypothesis, sums, alpha_fail)
    counts = _counts(policy, hypothesis, sums, alpha_fail)
    # Of identical rows some may be repeated more often than others, which counts cannot show.
    return (
        counts
        if sums.units == sums.rows
        else counts.wider(_mean(policy, hypothesis, sums, alpha_fail))
    )


def _mean(
    policy: ValidationPolicy, hypothesis: Hypothesis, sums: HoldoutSummary, alpha_fail: float
) -> _Bounds:
    observations = sums.units if policy.unit == "row" else sums.rows
    least = least_variance(hypothesis.threshold, hypothesis.range, _differing(policy, sums))
    mean = sums.estimate.with_least_error(math.sqrt((least or 0.0) / observations))
    return _Bounds(
        mean.estimate,
        mean.lower_bound(policy.alpha),
        mean.upper_bound(alpha_fail),
        mean.p_greater(hypothesis.threshold),
        mean.p_less(hypothesis.threshold),
        mean.units,
    )


def _counts(
    policy: ValidationPolicy, hypothesis: Hypothesis, sums: HoldoutSummary, alpha_fail: float
) -> _Bounds:
    """Bounds from how many rows are in favour of either model, identical rows counted once."""
    n, alpha = sums.units, policy.alpha
    better, worse = _once(sums, sums.above), _once(sums, sums.below)
    if not hypothesis.comparative:
        return _proportion(hypothesis, better + worse, n, alpha, alpha_fail)
    return _Bounds(
        (better - worse) / n,
        tango.lower_bound(better, worse, n, alpha),
        tango.upper_bound(better, worse, n, alpha_fail),
        tango.p_greater(better, worse, n, hypothesis.threshold),
        tango.p_less(better, worse, n, hypothesis.threshold),
        n,
    )


def _once(sums: HoldoutSummary, number: int) -> int:
    return number if sums.units == sums.rows else round(number * sums.units / sums.rows)


def _differing(policy: ValidationPolicy, sums: HoldoutSummary) -> int:
    number = sums.above + sums.below
    return _once(sums, number) if policy.unit == "row" else number


def _proportion(
    hypothesis: Hypothesis, wrong: int, n: int, alpha: float, alpha_fail: float
) -> _Bounds:
    """A limit on the share of wrong answers; x is 1 or -1 for a wrong one, by orientation."""
    null = abs(hypothesis.threshold)
    if hypothesis.sign == 1:
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


def _too_little(policy: ValidationPolicy, hypothesis: Hypothesis, sums: HoldoutSummary) -> str:
    """Why no verdict is allowed yet, in words; empty where it is."""
    rows = sums.units if policy.unit == "row" else sums.rows
    if hypothesis.column is None and rows < policy.min_rows:
        different = "different " if rows < sums.rows else ""
        return f"the policy requires at least {count(policy.min_rows)} {different}rows"
    if policy.unit != "row" and sums.units < policy.min_units:
        units = plural(policy.unit, policy.min_units)
        return f"the policy requires at least {policy.min_units} {units}"
    counted = hypothesis.metric.binary and policy.unit == "row"
    differing = _differing(policy, sums)
    if not counted and least_variance(hypothesis.threshold, hypothesis.range, differing) is None:
        return f"only {differing} rows differ; a verdict needs {ENOUGH_DIFFERING}"
    return ""


def _forecast(alpha: float, hypothesis: Hypothesis, bounds: _Bounds) -> int | None:
    """Units after which a verdict is likely, the estimate and its spread staying as they are."""
    distance = abs(bounds.estimate - hypothesis.threshold)
    reach = bounds.estimate - bounds.lower
    if not (distance > 0 and math.isfinite(reach) and reach > 0):
        return None
    quantiles = float(norm.isf(alpha) + norm.ppf(_POWER))
    needed = bounds.units * (quantiles * reach / (float(norm.isf(alpha)) * distance)) ** 2
    return math.ceil(needed) if needed < 1e9 else None
