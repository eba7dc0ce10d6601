from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from model_lifecycle.gates.statistics import mcnemar, tango


@pytest.mark.parametrize(
    ("cells", "level", "expected"),
    [
        ((4, 9, 3, 16), 0.95, (-0.027, 0.390)),
        ((53, 16, 8, 9), 0.95, (-0.020, 0.207)),
        ((43, 0, 1, 0), 0.90, (-0.096, 0.037)),
    ],
)
def test_published_intervals(
    cells: tuple[int, ...], level: float, expected: tuple[float, float]
) -> None:
    """Tango's interval equals the published ones."""
    n, alpha = sum(cells), (1 - level) / 2

    lower = tango.lower_bound(cells[1], cells[2], n, alpha)
    upper = tango.upper_bound(cells[1], cells[2], n, alpha)

    assert expected == pytest.approx((lower, upper), abs=5.1e-4)


def test_mcnemar_at_no_margin() -> None:
    """Without a margin the score is McNemar's."""
    assert tango.score(16, 6, 161, 0.0) == pytest.approx(10 / math.sqrt(22))
    assert 2 * tango.p_greater(16, 6, 161, 0.0) == pytest.approx(mcnemar.asymptotic_p(16, 6))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 400), st.floats(-0.9, 0.9))
def test_swapping_the_models(better: int, worse: int, rest: int, difference: float) -> None:
    """Swapping the models mirrors the score."""
    n = better + worse + rest

    mirrored = -tango.score(worse, better, n, -difference)

    assert tango.score(better, worse, n, difference) == pytest.approx(mirrored, rel=1e-6, abs=1e-6)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 400), st.sampled_from([0.05, 0.01]))
def test_bounds_invert_the_test(better: int, worse: int, rest: int, alpha: float) -> None:
    """A bound is where the score equals the normal quantile, or the edge of what is possible."""
    n = better + worse + rest
    if n == 0:
        return
    lower, upper = (
        bound(better, worse, n, alpha) for bound in (tango.lower_bound, tango.upper_bound)
    )

    assert -1 <= lower <= (better - worse) / n <= upper <= 1
    if lower > -1:
        assert tango.score(better, worse, n, lower) == pytest.approx(norm.isf(alpha), abs=1e-3)
    if upper < 1:
        assert tango.score(better, worse, n, upper) == pytest.approx(-norm.isf(alpha), abs=1e-3)


def test_models_that_always_agree() -> None:
    """Models that always agree are shown not to differ by the margin only after enough pairs, and
    never to be better."""
    needed = [n for n in range(1, 2000) if tango.p_greater(0, 0, n, -0.01) < 0.05]

    assert needed[0] == 268
    assert all(tango.score(0, 0, n, 0.0) == 0.0 for n in (1, 10, 100_000))


def test_null_variance_is_not_zero() -> None:
    """While no pair has disagreed, the variance under the null hypothesis is that of pairs that
    could only disagree one way."""
    assert tango.null_variance(0, 0, 1000, -0.01) == pytest.approx(0.01 - 0.01**2)
