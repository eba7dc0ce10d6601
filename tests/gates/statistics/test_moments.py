from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.gates.statistics.moments import Moments

values = st.lists(st.floats(-1e6, 1e6), min_size=0, max_size=60)


@given(values, st.lists(st.integers(0, 60), max_size=5))
def test_split_anywhere(numbers: list[float], cuts: list[int]) -> None:
    """Merging any split gives the moments of the whole."""
    parts = np.split(np.array(numbers), sorted(min(cut, len(numbers)) for cut in cuts))

    merged = sum((Moments.of(part) for part in parts), Moments())

    complete = Moments.of(numbers)
    assert complete.n == merged.n
    assert complete.mean == pytest.approx(merged.mean, rel=1e-9, abs=1e-6)
    assert complete.m2 == pytest.approx(merged.m2, rel=1e-9, abs=1e-3)


def test_any_order() -> None:
    """The order of merging does not matter beyond rounding."""
    rng = np.random.default_rng(1)
    parts = [Moments.of(rng.normal(1e6, 1, size)) for size in (3, 50, 1, 200)]

    forwards, backwards = sum(parts, Moments()), sum(parts[::-1], Moments())

    assert forwards.variance == pytest.approx(backwards.variance, rel=1e-9)


def test_far_from_zero() -> None:
    """Values far from 0 keep their variance, which sums of squares would lose."""
    near = np.array([1.0, 2.0, 3.0, 4.0])

    assert Moments.of(near + 1e9).variance == pytest.approx(np.var(near, ddof=1))


@pytest.mark.parametrize("n", [0, 1])
def test_variance_needs_two(n: int) -> None:
    """Fewer than two values have no variance."""
    assert math.isnan(Moments.of([1.0] * n).variance)
