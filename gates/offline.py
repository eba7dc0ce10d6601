"""Judging held-out rows, in one look: each claim by the method that fits its measure.

Single rows of a binary measure: Tango's test against the champion, Wilson's bounds against a
limit. Everything else, and everything in clusters: Student's t on the mean of x.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from model_lifecycle.registry.rules.evidence import Verdict

from .claims import Claim
from .findings import Finding
from .losses import Answers, Floats, losses
from .policies import ValidationPolicy
from .report import MetricRow
from .statistics import proportion, tango
from .statistics.paired import mean_estimate
from .statistics.rare_variance import ENOUGH_DIFFERING, least_variance
from .verdicts import DEMANDS, from_bounds
from .wording import count, plural

#: A forecast aims at being right four times of five.
_POWER = 0.8
#: The largest slices of a column are judged, not one for each of a million values.
MOST_SLICES = 50


@dataclass(frozen=True)
class HeldOut:
    """Labelled rows and what both models said about them. ``units`` codes each row's unit from 0,
    None where each row is one; ``slices`` holds the columns that slice limits name, as text."""

    labels: NDArray[Any]
    challenger: Answers
    champion: Answers | None = None
    units: NDArray[np.int64] | None = None
    slices: Mapping[str, NDArray[Any]] | None = None

    def of(self, rows: NDArray[np.bool_]) -> HeldOut:
        """Some of the rows, by mask."""
        return HeldOut(
            self.labels[rows],
            self.challenger.of(rows),
            self.champion.of(rows) if self.champion else None,
            self.units[rows] if self.units is not None else None,
        )


@dataclass(frozen=True)
class _Bounds:
    estimate: float
    lower: float
    upper: float
    p_pass: float
    p_fail: float
    units: int


def judge_rows(
    policy: ValidationPolicy, claims: Sequence[Claim], data: HeldOut
) -> tuple[MetricRow, ...]:
    """One row a claim, and one a slice. FAIL is tested at alpha over the number of demands, and
    for slices over the number of slices."""
    demands = [claim for claim in claims if claim.kind in DEMANDS]
    every = np.ones(data.labels.size, dtype=bool)
    rows = [_row(policy, claim, data, every, policy.alpha / len(demands)) for claim in demands]
    parts = [
        (claim, value, mask)
        for claim in claims
        if claim.column is not None
        for value, mask in _slices(data, claim.column, claim.min_rows)
    ]
    rows += [
        _row(policy, claim, data, mask, policy.alpha / len(parts), value)
        for claim, value, mask in parts
    ]
    return tuple(rows)


def claim_values(claim: Claim, data: HeldOut) -> Floats:
    """The claim's x of every row."""
    return _values(claim, data)[2]


def _values(claim: Claim, data: HeldOut) -> tuple[Floats | None, Floats, Floats]:
    """Losses of champion and challenger, and x."""
    challenger = losses(claim.metric, data.labels, data.challenger, claim.bound)
    champion = (
        losses(claim.metric, data.labels, data.champion, claim.bound) if data.champion else None
    )
    return champion, challenger, claim.values(champion, challenger)


def _row(
    policy: ValidationPolicy,
    claim: Claim,
    data: HeldOut,
    mask: NDArray[np.bool_],
    alpha_fail: float,
    slice_value: str | None = None,
) -> MetricRow:
    part = data.of(mask)
    champion, challenger, x = _values(claim, part)
    bounds = _bounds(claim, x, part.units, policy.alpha, alpha_fail)
    too_little = _too_little(policy, claim, x, bounds, sliced=slice_value is not None)
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
        rows=int(x.size),
        units=bounds.units,
        unit=policy.unit,
        things="rows",
        forecast=_forecast(policy.alpha, claim, bounds),
        too_little=too_little,
    )
    return finding.row(
        None if champion is None else float(champion.mean()), float(challenger.mean()), slice_value
    )


def _bounds(
    claim: Claim, x: Floats, units: NDArray[np.int64] | None, alpha: float, alpha_fail: float
) -> _Bounds:
    n = int(x.size)
    if claim.metric.binary and units is None and claim.bound is None:
        if claim.comparative:
            better, worse = int((x > 0).sum()), int((x < 0).sum())
            return _Bounds(
                (better - worse) / n,
                tango.lower_bound(better, worse, n, alpha),
                tango.upper_bound(better, worse, n, alpha_fail),
                tango.p_greater(better, worse, n, claim.threshold),
                tango.p_less(better, worse, n, claim.threshold),
                n,
            )
        return _proportion(claim, x, alpha, alpha_fail)
    least = least_variance(claim.threshold, claim.span, int((x != 0).sum()))
    mean = mean_estimate(x, units).with_least_error(math.sqrt((least or 0.0) / n))
    return _Bounds(
        mean.estimate,
        mean.lower_bound(alpha),
        mean.upper_bound(alpha_fail),
        mean.p_greater(claim.threshold),
        mean.p_less(claim.threshold),
        mean.units,
    )


def _proportion(claim: Claim, x: Floats, alpha: float, alpha_fail: float) -> _Bounds:
    """A limit on the share of wrong answers; x is 1 or -1 for a wrong one, by orientation."""
    n, wrong = int(x.size), int((x != 0).sum())
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


def _too_little(
    policy: ValidationPolicy, claim: Claim, x: Floats, bounds: _Bounds, *, sliced: bool
) -> str:
    """Why no verdict may be made yet, in words; empty where it may."""
    if not sliced and x.size < policy.min_rows:
        return f"the policy asks for at least {count(policy.min_rows)} rows"
    if policy.unit != "row" and bounds.units < policy.min_units:
        units = plural(policy.unit, policy.min_units)
        return f"the policy asks for at least {policy.min_units} {units}"
    counted = claim.metric.binary and policy.unit == "row"
    differing = int((x != 0).sum())
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


def _slices(data: HeldOut, column: str, min_rows: int) -> list[tuple[str, NDArray[np.bool_]]]:
    values = (data.slices or {})[column]
    names, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_SLICES]
    return [(str(names[i]), values == names[i]) for i in order if counts[i] >= min_rows]
