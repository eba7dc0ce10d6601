"""Autocorrelation and long-run variance of blocks, against the AR(1) process that they assume."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from model_lifecycle.gates.statistics.autocorrelation import (
    MAX_AUTOCORRELATION,
    independence_p,
    lag_one_autocorrelation,
    largest_autocorrelation,
    long_run_variance,
)


def _process(phi: float, n: int, seed: int) -> NDArray[np.float64]:
    """An AR(1) process with a variance of 1, less its mean."""
    noise = np.random.default_rng(seed).normal(size=n)
    values = noise.copy()
    for t in range(1, n):
        values[t] = phi * values[t - 1] + math.sqrt(1 - phi**2) * noise[t]
    return np.asarray(values - values.mean())


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6, 0.9])
def test_long_processes_give_their_parameter(phi: float) -> None:
    """Autocorrelation and long-run variance of a long process are those of its definition."""
    x = _process(phi, 40_000, 1)

    estimate = lag_one_autocorrelation(x)

    assert estimate == pytest.approx(phi, abs=0.02)
    assert long_run_variance(x, estimate) == pytest.approx((1 + phi) / (1 - phi), rel=0.1)


def test_bias_of_short_processes() -> None:
    """On 30 blocks the estimate is right in the mean; without the correction it is 0.08 too low."""
    estimates = [lag_one_autocorrelation(_process(0.5, 30, seed)) for seed in range(400)]

    assert np.mean(estimates) == pytest.approx(0.5, abs=0.03)


def test_independent_blocks_are_rarely_suspected() -> None:
    """On 40 independent blocks the p-value is below 0.05 in about 5 % of 1000 samples."""
    p = [
        independence_p(lag_one_autocorrelation(_process(0.0, 40, seed)), 40) for seed in range(1000)
    ]

    assert 0.02 <= np.mean(np.array(p) < 0.05) <= 0.08


def test_bounds_of_the_estimate() -> None:
    """Negative autocorrelation counts as none, a trend as the largest; too little data as NaN."""
    alternating = np.array([1.0, -1.0] * 20)
    trend = np.linspace(-1, 1, 1000)

    assert lag_one_autocorrelation(alternating) == 0.0
    assert lag_one_autocorrelation(trend) == MAX_AUTOCORRELATION
    assert math.isnan(lag_one_autocorrelation([0.5, -0.5]))
    assert math.isnan(lag_one_autocorrelation(np.zeros(50)))


def test_long_run_variance_is_never_below_the_sample_variance() -> None:
    """It may only make an interval wider."""
    x = _process(0.0, 30, 3)

    assert long_run_variance(x, 0.0) >= float(x @ x) / 29


def test_the_largest_autocorrelation_covers_the_true_one() -> None:
    """For 40 blocks the upper end is above the true autocorrelation in about 97.5 % of samples."""
    ends = [
        largest_autocorrelation(lag_one_autocorrelation(_process(0.5, 40, seed)), 40)
        for seed in range(500)
    ]

    assert 0.94 <= np.mean(np.array(ends) >= 0.5) <= 1.0
    assert largest_autocorrelation(0.97, 10) == MAX_AUTOCORRELATION
