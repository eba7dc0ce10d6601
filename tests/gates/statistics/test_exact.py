from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.gates.statistics.exact import ExactSum
from model_lifecycle.gates.statistics.sums import Sums

FLOATS = st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64), max_size=30)
MANY = np.random.default_rng(2).lognormal(0, 20, 1000)


@given(FLOATS, st.integers(0, 30))
def test_any_split_gives_the_same(values: list[float], cut: int) -> None:
    """The sum of two parts, in either order, is the sum of the whole, to the last digit."""
    first, second = ExactSum.of(values[:cut]), ExactSum.of(values[cut:])

    assert ExactSum.of(values) == first + second == second + first


@given(FLOATS)
def test_as_fsum(values: list[float]) -> None:
    """It rounds like math.fsum does, once."""
    try:
        expected = math.fsum(values)
    except OverflowError:
        return

    assert expected == float(ExactSum.of(values))


@given(FLOATS)
def test_text(values: list[float]) -> None:
    """A sum is written and read back whole."""
    total = ExactSum.of(values)

    assert total == ExactSum.parse(total.text())


@pytest.mark.parametrize("text", ["", "1", "1p", "xp1", "1p99999", "1p1 "])
def test_text_that_is_none(text: str) -> None:
    """Other text is refused."""
    with pytest.raises(ValueError, match="no exact sum"):
        ExactSum.parse(text)


def test_not_finite() -> None:
    """NaN and infinity have no sum."""
    with pytest.raises(ValueError, match="finite"):
        ExactSum.of([1.0, math.nan])


def test_moments() -> None:
    """Mean and variance are those of numpy, also far from 0."""
    x = np.random.default_rng(3).normal(1e6, 2.0, 5000)

    moments = Sums.of(x).moments

    assert moments.n == 5000
    assert moments.mean == pytest.approx(x.mean(), rel=1e-14)
    assert moments.variance == pytest.approx(x.var(ddof=1), rel=1e-6)


def test_shuffled_parts_of_sums() -> None:
    """Seventeen shuffled parts add up to the same document as the whole."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=4000)
    parts = [Sums.of(part) for part in np.array_split(x, 17)]
    rng.shuffle(parts)

    total = sum(parts, Sums())

    assert Sums.of(x) == total == Sums.from_document(total.document())


def test_many_at_once() -> None:
    """Many numbers of very different size add up as one by one."""
    parts = [ExactSum.of(part) for part in np.array_split(MANY, 100)]

    assert ExactSum.of(MANY) == sum(parts, ExactSum())
    assert math.fsum(MANY) == float(ExactSum.of(MANY))
