from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from model_lifecycle.gates.metrics.agreement import (
    adjusted_mutual_info,
    adjusted_rand,
    contingency,
    mutual_info_values,
    rand_values,
)


def pairs(
    seed: int, rows: int = 400, first: int = 4, second: int = 5, noise: float = 0.3
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    one = rng.integers(0, first, rows)
    other = np.where(rng.random(rows) < noise, rng.integers(0, second, rows), (one + 2) % second)
    return one, other


@pytest.mark.parametrize("seed", range(5))
def test_as_scikit_learn_has_them(seed: int) -> None:
    """Both indices are those of scikit-learn."""
    one, other = pairs(seed, rows=50 + 100 * seed, noise=seed / 4)
    table = contingency(one, other)

    assert adjusted_rand(table) == pytest.approx(adjusted_rand_score(one, other), abs=1e-9)
    assert adjusted_mutual_info(table) == pytest.approx(
        adjusted_mutual_info_score(one, other), abs=1e-9
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([0, 0, 0, 0], [0, 0, 0, 0]),
        ([0, 1, 2, 3], [3, 2, 1, 0]),
        ([0, 0, 1, 1], [1, 1, 0, 0]),
        ([0, 0, 1, 1], [0, 1, 0, 1]),
        ([0, 0, 0, 0], [0, 1, 2, 3]),
        ([2, 2, 5, 5], [0, 0, 1, 0]),
    ],
)
def test_edges_as_scikit_learn_has_them(one: list[int], other: list[int]) -> None:
    """One cluster, single rows, swapped names and clusters without rows give what scikit-learn
    gives."""
    table = contingency(np.array(one), np.array(other))

    assert adjusted_rand(table) == pytest.approx(adjusted_rand_score(one, other), abs=1e-9)
    assert adjusted_mutual_info(table) == pytest.approx(
        adjusted_mutual_info_score(one, other), abs=1e-9
    )


@pytest.mark.parametrize(
    ("values", "index"), [(rand_values, adjusted_rand), (mutual_info_values, adjusted_mutual_info)]
)
def test_values_of_rows(
    values: Callable[[np.ndarray], np.ndarray], index: Callable[[np.ndarray], float]
) -> None:
    """The rows' values have the index as their mean, and their spread tells its standard error:
    that of 400 samples of the same kind."""
    samples = [contingency(*pairs(seed)) for seed in range(400)]
    observed = np.std([index(table) for table in samples], ddof=1)

    table = samples[0]
    rows = np.repeat(values(table).ravel(), table.ravel())
    error = rows.std(ddof=1) / np.sqrt(rows.size)

    assert rows.mean() == pytest.approx(index(table), abs=1e-12)
    assert error == pytest.approx(observed, rel=0.15)
