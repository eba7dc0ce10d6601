from __future__ import annotations

import math

import numpy as np
import pytest

from model_lifecycle.gates.statistics.bootstrap import clustered_bounds
from model_lifecycle.gates.statistics.paired import mean_estimate


def test_close_to_the_formula() -> None:
    """For a mean, the bounds are near those of the cluster-robust formula."""
    rng = np.random.default_rng(10)
    clusters = np.repeat(np.arange(80), 25)
    x = rng.normal(0, 1, 80)[clusters] + rng.normal(0, 1, 2000)
    known = mean_estimate(x, clusters)

    bounds = clustered_bounds(lambda rows: float(x[rows].mean()), clusters, 0.05)

    assert bounds == pytest.approx((known.lower_bound(0.05), known.upper_bound(0.05)), abs=0.03)


def test_seeded() -> None:
    """The same data give the same bounds, whatever the clusters are called."""
    x = np.random.default_rng(11).normal(size=300)
    codes = np.arange(300) % 30
    names = np.array([f"user-{code:02}" for code in codes])

    first = clustered_bounds(lambda rows: float(np.median(x[rows])), codes, 0.05, draws=200)
    second = clustered_bounds(lambda rows: float(np.median(x[rows])), names, 0.05, draws=200)

    assert first == second


def test_nothing_to_draw() -> None:
    """One cluster, or a statistic without values, gives no bounds."""
    nothing = (-math.inf, math.inf)

    assert nothing == clustered_bounds(lambda rows: 1.0, [1, 1, 1], 0.05)
    assert nothing == clustered_bounds(lambda rows: math.nan, [1, 2, 3], 0.05, draws=50)
