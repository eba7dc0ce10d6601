from __future__ import annotations

import math

import numpy as np
import pytest

from model_lifecycle.gates.statistics.betting import bets, log_e_mean, log_e_pair
from model_lifecycle.gates.statistics.grid import STEPS, Grid

PUBLISHED = [
    ((60, 50, 2000, 0.01), (2.139835, -0.842326)),
    ((300, 250, 10000, 0.01), (17.191774, -1.498721)),
    ((5, 30, 1000, 0.01), (-0.650177, 1.895265)),
]


def _pairs(better: int, worse: int, n: int) -> np.ndarray:
    return np.repeat([1.0, -1.0, 0.0], [better, worse, n - better - worse])


@pytest.mark.parametrize(("counts", "expected"), PUBLISHED)
def test_reference_values(
    counts: tuple[int, int, int, float], expected: tuple[float, float]
) -> None:
    """Counts, single values and weights on the grid all give the reference values."""
    *pairs, margin = counts
    x = _pairs(*pairs)

    assert expected == pytest.approx(log_e_pair(*counts), abs=1e-6)
    assert expected == pytest.approx(
        (log_e_mean(x, -margin, -1.0), log_e_mean(-x, margin, -1.0)), abs=1e-6
    )
    assert expected == pytest.approx(Grid.of(x, 1.0).log_e(-margin), abs=1e-6)


@pytest.mark.parametrize(("n", "expected"), [(300, 0.82), (500, 1.97), (600, 2.71), (700, 3.51)])
def test_models_that_always_agree(n: int, expected: float) -> None:
    """Agreement passes at a margin after enough of it, and shows nothing at a margin of 0."""
    assert expected == pytest.approx(log_e_pair(0, 0, n, 0.01)[0], abs=0.005)
    assert log_e_pair(0, 0, n, 0.0) == (0.0, 0.0)


def test_swapping_the_models() -> None:
    """At a margin of 0, swapping the models swaps the two e-values."""
    assert log_e_pair(60, 30, 500, 0.0) == pytest.approx(log_e_pair(30, 60, 500, 0.0)[::-1])


def test_no_bet_loses_everything() -> None:
    """Every bet leaves something, at the worst value."""
    assert (1 + bets(-0.01, -1.0) * (-1 + 0.01) > 0).all()


def test_the_grid_never_shows_more() -> None:
    """Sharing values out on the grid loses a little wealth and never makes any."""
    x = np.clip(np.random.default_rng(1).normal(0.02, 0.2, 10_000), -1, 1)

    log_e = Grid.of(x, 1.0).log_e(-0.01)
    exact = log_e_mean(x, -0.01, -1.0), log_e_mean(-x, 0.01, -1.0)

    assert all(a <= b + 1e-6 for a, b in zip(log_e, exact, strict=True))
    assert exact == pytest.approx(log_e, rel=0.01)


def test_parts_add_to_the_bit() -> None:
    """Parts in any order give the weights of the whole, and what is written is read back."""
    rng = np.random.default_rng(2)
    x = rng.uniform(-2, 2, 5000)
    parts = [Grid.of(part, 2.0) for part in np.array_split(x, 13)]
    rng.shuffle(parts)

    total = sum(parts, Grid(2.0))

    assert Grid.of(x, 2.0).document() == total.document()
    assert total.document() == Grid.from_document(total.document()).document()
    assert max(total.weights) <= STEPS


def test_other_spans() -> None:
    """Grids of different spans do not add; values outside of the span are refused."""
    with pytest.raises(ValueError, match="do not add"):
        Grid(1.0) + Grid(2.0)
    with pytest.raises(ValueError, match="lies outside"):
        Grid.of([1.5], 1.0)
    with pytest.raises(ValueError, match="lies outside"):
        Grid.of([math.nan], 1.0)
    with pytest.raises(ValueError, match="below the lowest"):
        log_e_mean([-2.0], 0.0, -1.0)
    with pytest.raises(ValueError, match="has to lie above"):
        bets(-1.0, -1.0)
    with pytest.raises(ValueError, match="one weight"):
        Grid.from_document({"span": 1.0, "points": [1], "weights": []})
