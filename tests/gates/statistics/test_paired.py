from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import ttest_1samp

from model_lifecycle.gates.statistics.paired import mean_estimate

ROWS = np.random.default_rng(7).normal(0.02, 0.3, 400)
DAYS = np.sort(np.random.default_rng(8).integers(0, 23, 400))


@pytest.mark.parametrize("null", [0.0, -0.01, 0.05])
def test_rows_as_units_are_students_t(null: float) -> None:
    """Without clusters the p-values are scipy's."""
    estimate = mean_estimate(ROWS)

    assert estimate.p_greater(null) == pytest.approx(
        ttest_1samp(ROWS, null, alternative="greater").pvalue
    )
    assert estimate.p_less(null) == pytest.approx(
        ttest_1samp(ROWS, null, alternative="less").pvalue
    )


def test_bounds_are_students_t() -> None:
    """Without clusters the bounds are scipy's."""
    expected = ttest_1samp(ROWS, 0).confidence_interval(0.90)

    estimate = mean_estimate(ROWS)

    assert (expected.low, expected.high) == pytest.approx(
        (estimate.lower_bound(0.05), estimate.upper_bound(0.05))
    )


def test_clusters_as_statsmodels() -> None:
    """With clusters the standard error is the cluster-robust one of an intercept."""
    fit = sm.OLS(ROWS, np.ones(ROWS.size)).fit(cov_type="cluster", cov_kwds={"groups": DAYS})

    estimate = mean_estimate(ROWS, DAYS)

    assert (fit.params[0], fit.bse[0]) == pytest.approx(
        (estimate.estimate, estimate.standard_error)
    )
    assert np.unique(DAYS).size == estimate.units


def test_one_row_a_cluster() -> None:
    """Clusters of one row each are no clusters."""
    assert mean_estimate(ROWS) == mean_estimate(ROWS, np.arange(ROWS.size))


def test_copies_prove_nothing() -> None:
    """Rows that are copies of one another do not narrow the interval."""
    once = mean_estimate(ROWS, np.arange(ROWS.size))
    copied = mean_estimate(np.repeat(ROWS, 10), np.repeat(np.arange(ROWS.size), 10))

    assert once.standard_error == pytest.approx(copied.standard_error)


@pytest.mark.parametrize("rows", [[], [1.0]])
def test_too_few(rows: list[float]) -> None:
    """Fewer than two units bound nothing and prove nothing."""
    estimate = mean_estimate(rows)

    assert not estimate.lower_bound(0.05) > -math.inf
    assert estimate.p_greater(-1.0) == 1.0


def test_least_error() -> None:
    """A least standard error widens an interval and never narrows it."""
    estimate = mean_estimate(ROWS)

    assert estimate.with_least_error(1.0).standard_error == 1.0
    assert estimate.with_least_error(0.0) == estimate
