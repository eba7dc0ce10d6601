"""Bounds for a statistic that is no mean (AUC, F1), when rows come in clusters.

Whole clusters are drawn with replacement: Davison, Hinkley, "Bootstrap Methods and their
Application" (1997), section 3.8; percentile bounds. One look only.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rows = NDArray[np.int64]


def clustered_bounds(
    statistic: Callable[[Rows], float],
    clusters: ArrayLike,
    alpha: float,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Lower and upper bound, each of one-sided level ``alpha``. ``statistic`` gets the row numbers
    of a sample, repeated as drawn; ``clusters`` is each row's cluster. Without two clusters, or
    when a draw in a hundred has no value, there are no bounds: minus and plus infinity."""
    names, codes = np.unique(np.asarray(clusters), return_inverse=True)
    if names.size < 2:
        return -math.inf, math.inf
    order = np.argsort(codes, kind="stable").astype(np.int64)
    members = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    rng = np.random.default_rng(seed)
    values = np.array(
        [
            statistic(np.concatenate([members[i] for i in drawn]))
            for drawn in rng.integers(0, names.size, (draws, names.size))
        ],
        dtype=float,
    )
    good = values[np.isfinite(values)]
    if good.size < 0.99 * draws:
        return -math.inf, math.inf
    low, high = np.quantile(good, [alpha, 1 - alpha])
    return float(low), float(high)
