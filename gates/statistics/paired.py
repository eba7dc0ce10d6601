"""One look at a mean of paired differences: Student's t, with rows grouped into clusters.

With clusters the estimate is still the mean over rows, and its variance is that of the ratio
estimator over clusters (Cochran, "Sampling Techniques", chapter 9; the same as the cluster-robust
variance of an intercept), with clusters - 1 degrees of freedom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t


@dataclass(frozen=True)
class MeanEstimate:
    """A mean over ``rows`` rows in ``units`` independent units, with its standard error."""

    estimate: float
    standard_error: float
    units: int
    rows: int

    def lower_bound(self, alpha: float) -> float:
        """Lower confidence bound of one-sided level ``alpha``; -inf for fewer than two units."""
        return self.estimate - self._reach(alpha)

    def upper_bound(self, alpha: float) -> float:
        """Upper confidence bound of one-sided level ``alpha``; inf for fewer than two units."""
        return self.estimate + self._reach(alpha)

    def p_greater(self, null: float) -> float:
        """One-sided p-value of "the mean is at most ``null``"."""
        return self._p(self.estimate - null)

    def p_less(self, null: float) -> float:
        """One-sided p-value of "the mean is at least ``null``"."""
        return self._p(null - self.estimate)

    def with_least_error(self, standard_error: float) -> MeanEstimate:
        """The same estimate with a standard error of at least ``standard_error``."""
        least = max(self.standard_error, standard_error)
        return MeanEstimate(self.estimate, least, self.units, self.rows)

    def _reach(self, alpha: float) -> float:
        if self.units < 2:
            return math.inf
        return float(t.isf(alpha, self.units - 1)) * self.standard_error

    def _p(self, distance: float) -> float:
        if self.units < 2:
            return 1.0
        if self.standard_error == 0:
            return 0.0 if distance > 0 else 1.0
        return float(t.sf(distance / self.standard_error, self.units - 1))


def mean_estimate(values: ArrayLike, clusters: ArrayLike | None = None) -> MeanEstimate:
    """The mean of ``values``, shape ``(rows,)``; ``clusters`` gives each row's unit as an integer
    code from 0, or None where each row is a unit of its own."""
    rows = np.asarray(values, dtype=float)
    n = rows.size
    if n == 0:
        return MeanEstimate(math.nan, math.nan, 0, 0)
    mean = float(rows.mean())
    residuals = rows - mean
    if clusters is not None:
        codes = np.asarray(clusters)
        residuals = np.bincount(codes, weights=residuals)[np.unique(codes)]
    units = residuals.size
    if units < 2:
        return MeanEstimate(mean, math.nan, units, n)
    error = math.sqrt(units / (units - 1) * float((residuals**2).sum())) / n
    return MeanEstimate(mean, error, units, n)
