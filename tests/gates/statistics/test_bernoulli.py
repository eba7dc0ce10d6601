from __future__ import annotations

import math

import numpy as np
import pytest

from model_lifecycle.gates.statistics.bernoulli import (
    interval,
    log_supermartingale,
    rank_band,
)


def test_reference_value() -> None:
    """700 of 1000, as in the tests of the package confseq."""
    assert interval(700, 1000, 0.05, 100) == pytest.approx((0.651629, 0.745949), abs=1e-6)


@pytest.mark.parametrize(
    ("p", "n", "expected"),
    [
        (0.95, 1_000, (0.927, 0.969)),
        (0.95, 5_000, (0.940, 0.959)),
        (0.95, 20_000, (0.945, 0.955)),
        (0.99, 1_000, (0.979, 0.998)),
        (0.99, 20_000, (0.9875, 0.9922)),
    ],
)
def test_reference_bands(p: float, n: int, expected: tuple[float, float]) -> None:
    """Bands of quantiles, as published."""
    assert rank_band(p, n, 0.05, 1000) == pytest.approx(expected, abs=6e-4)


def test_ends() -> None:
    """No trials tell nothing; nothing but failures, or successes, bound one side."""
    assert interval(0, 0, 0.05, 100) == rank_band(0.5, 0, 0.05, 100) == (0.0, 1.0)
    low, high = interval(0, 500, 0.05, 100)
    assert (low, 0 < high < 0.05) == (0.0, True)
    low, high = interval(500, 500, 0.05, 100)
    assert (0.95 < low < 1, high) == (True, 1.0)


def test_symmetric() -> None:
    """Counting failures instead of successes mirrors the interval."""
    low, high = interval(30, 400, 0.05, 100)

    assert interval(370, 400, 0.05, 100) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_peeking_keeps_the_error_rate() -> None:
    """Over 200 looks at each of 1000 runs, the truth leaves the interval in 5 % at most."""
    rng = np.random.default_rng(5)
    p, looks = 0.03, np.arange(50, 10_050, 50)
    steps = rng.binomial(50, p, (1000, looks.size)).cumsum(axis=1)
    line, missed = math.log(20), 0
    for run in steps:
        missed += any(
            log_supermartingale(float(k - n * p), float(n), p, 5000) >= line
            for k, n in zip(run[::10], looks[::10], strict=True)
        )

    assert missed / 1000 <= 0.05 + 0.014
