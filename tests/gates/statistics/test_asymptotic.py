from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.gates.statistics import asymptotic
from model_lifecycle.gates.statistics.moments import Moments


def _moments(total: float, squares: float, n: int) -> Moments:
    return Moments(n, total / n, squares - total * total / n)


def test_published_one_sided_bound() -> None:
    """GrowthBook's example of two arms gives its published lower bound."""
    a, b = _moments(1396.87, 52377.9767, 3000), _moments(2422.7, 134698.29, 3461)
    error = math.sqrt(a.variance / a.n + b.variance / b.n)
    n, difference = a.n + b.n, b.mean - a.mean

    half = asymptotic.one_sided_half_width(
        n, error * math.sqrt(n), 0.05, asymptotic.rho(0.10, 5000)
    )

    assert (difference, error) == pytest.approx((0.234376667, 0.129830813), abs=5e-10)
    assert difference - half == pytest.approx(-0.126568442, abs=5e-10)


@given(
    st.integers(2, 10_000),
    st.floats(-1, 1),
    st.floats(0.01, 10),
    st.floats(-1, 1),
    st.sampled_from([0.05, 0.01, 0.2]),
)
def test_p_value_inverts_the_bound(
    n: int, mean: float, spread: float, null: float, alpha: float
) -> None:
    """The one-sided p-value is at most alpha exactly where the bound excludes the null."""
    rho = asymptotic.rho(0.1, 100)
    bound = mean - asymptotic.one_sided_half_width(n, spread, alpha, rho)

    p = asymptotic.one_sided_p(n, mean, spread, null, rho)

    assert (p <= alpha) == (bound >= null) or p == pytest.approx(alpha, rel=1e-6)


@given(st.integers(2, 10_000), st.floats(0.01, 2), st.floats(0.1, 10))
def test_two_sided_p_value_inverts_the_interval(n: int, mean: float, spread: float) -> None:
    """The two-sided p-value is at most alpha exactly where the interval excludes the null."""
    rho = asymptotic.rho(0.05, 100)
    half = asymptotic.two_sided_half_width(n, spread, 0.05, rho)

    p = asymptotic.two_sided_p(n, mean, spread, 0.0, rho)

    assert (p <= 0.05) == (mean >= half) or p == pytest.approx(0.05, rel=1e-6)


def test_tightest_where_expected() -> None:
    """The parameter makes the sequence tightest, against a fixed-size interval, near the expected
    number of units."""
    widths = {
        expected: asymptotic.two_sided_half_width(100, 1, 0.05, asymptotic.rho(0.05, expected))
        for expected in (10, 50, 100, 200, 1000)
    }

    assert min(widths, key=lambda expected: widths[expected]) == 100


def test_peeking_keeps_the_error_rate() -> None:
    """Looked at after each of 400 units from the 30th on, a mean at the null is called greater in
    at most 5 % of 1000 tests; Student's t is in a third."""
    rng = np.random.default_rng(42)
    values = rng.standard_normal((1000, 400))
    n = np.arange(1, 401)
    means = values.cumsum(axis=1) / n
    variances = (values**2).cumsum(axis=1) / n - means**2
    spread = np.sqrt(variances * n / np.maximum(n - 1, 1))
    rho = asymptotic.rho(0.10, 100)
    unit = np.array([asymptotic.one_sided_half_width(k, 1.0, 0.05, rho) for k in range(1, 401)])

    anytime = ((means - unit * spread)[:, 29:] > 0).any(axis=1).mean()
    naive = ((means - 1.645 * spread / np.sqrt(n))[:, 29:] > 0).any(axis=1).mean()

    assert anytime <= 0.05
    assert naive > 0.2


@pytest.mark.parametrize("distance", [0.5, 0.1, 0.02])
def test_units_needed(distance: float) -> None:
    """The forecast is the first number of units whose half width is below the distance."""
    rho = asymptotic.rho(0.1, 100)

    n = asymptotic.units_needed(distance, 1.0, 0.05, rho)

    assert n is not None
    assert asymptotic.one_sided_half_width(n, 1.0, 0.05, rho) < distance
    assert asymptotic.one_sided_half_width(n - 1, 1.0, 0.05, rho) >= distance


def test_no_forecast_without_distance() -> None:
    """On the threshold itself no number of units is enough."""
    assert asymptotic.units_needed(0.0, 1.0, 0.05, 0.2) is None
    assert asymptotic.units_needed(1e-9, 1.0, 0.05, 0.2) is None
