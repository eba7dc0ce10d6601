"""Area under the ROC curve, and the difference of two paired ones, by DeLong's method.

DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988) 837, with the midranks of Sun and Xu, IEEE
Signal Processing Letters 21 (2014) 1389. Reports show it; it does not decide, since it is no mean
over requests and says nothing about calibration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata


@dataclass(frozen=True)
class AucComparison:
    """Two areas on the same rows; ``standard_error`` is that of second minus first."""

    first: float
    second: float
    standard_error: float

    @property
    def difference(self) -> float:
        return self.second - self.first

    def bounds(self, alpha: float) -> tuple[float, float]:
        """Lower and upper bound of the difference, each of one-sided level ``alpha``."""
        reach = float(norm.isf(alpha)) * self.standard_error
        return self.difference - reach, self.difference + reach


def compare_auc(labels: ArrayLike, first: ArrayLike, second: ArrayLike) -> AucComparison | None:
    """DeLong's comparison; ``labels`` are 0 or 1. None with fewer than two rows of either class."""
    positive = np.asarray(labels).astype(bool)
    if positive.sum() < 2 or (~positive).sum() < 2:
        return None
    placements = [
        _placements(np.asarray(scores, dtype=float), positive) for scores in (first, second)
    ]
    of_positives = np.vstack([item[0] for item in placements])
    of_negatives = np.vstack([item[1] for item in placements])
    covariance = np.cov(of_positives) / positive.sum() + np.cov(of_negatives) / (~positive).sum()
    contrast = np.array([-1.0, 1.0])
    variance = float(contrast @ covariance @ contrast)
    return AucComparison(
        float(of_positives[0].mean()), float(of_positives[1].mean()), math.sqrt(max(variance, 0.0))
    )


def auc(labels: ArrayLike, scores: ArrayLike) -> float | None:
    """The area, counting ties half; None where only one class is present."""
    positive = np.asarray(labels).astype(bool)
    if not positive.any() or positive.all():
        return None
    return float(_placements(np.asarray(scores, dtype=float), positive)[0].mean())


def _placements(
    scores: NDArray[np.float64], positive: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each positive, the share of negatives below it; of each negative, of positives above."""
    ranks = rankdata(scores)
    m, n = int(positive.sum()), int((~positive).sum())
    below = (ranks[positive] - rankdata(scores[positive])) / n
    above = 1 - (ranks[~positive] - rankdata(scores[~positive])) / m
    return below, above
