"""Two clusterings of the same rows, compared whatever their clusters are called.

Adjusted Rand index of Hubert and Arabie (1985); adjusted mutual information of Vinh, Epps and
Bailey (2010), normalized by the mean of the entropies. Both come from the contingency table. The
value of a row is its jackknife pseudo-value, centred so that the rows' mean is the index itself:
with it the index is judged like a mean (Efron and Stein 1981), by rows, clusters or blocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

Floats = NDArray[np.float64]
Table = NDArray[np.int64]


def contingency(first: NDArray[np.int64], second: NDArray[np.int64]) -> Table:
    """How many rows are in each pair of clusters; both are codes from 0, shape ``(rows,)``."""
    rows = int(first.max(initial=-1)) + 1
    columns = int(second.max(initial=-1)) + 1
    counts = np.bincount(first * columns + second, minlength=rows * columns)
    return np.asarray(counts.reshape(rows, columns), dtype=np.int64)


def adjusted_rand(table: Table) -> float:
    """1 for clusterings that are the same, about 0 for unrelated ones."""
    counts = table.astype(float)
    n = counts.sum()
    run_concurrently = (counts**2).sum() - n
    first, second = (counts.sum(axis=1) ** 2).sum() - n, (counts.sum(axis=0) ** 2).sum() - n
    return float(_rand(run_concurrently, first, second, n))


def rand_values(table: Table) -> Floats:
    """The value of one row in each cell, with the index as their mean over rows."""
    counts = table.astype(float)
    n = counts.sum()
    across, down = counts.sum(axis=1, keepdims=True), counts.sum(axis=0, keepdims=True)
    run_concurrently = (counts**2).sum() - n
    first, second = (across**2).sum() - n, (down**2).sum() - n
    without = _rand(
        run_concurrently - 2 * (counts - 1),
        first - 2 * (across - 1),
        second - 2 * (down - 1),
        n - 1,
    )
    return _centred(adjusted_rand(table), without, counts)


def adjusted_mutual_info(table: Table) -> float:
    """1 for clusterings that are the same, about 0 for unrelated ones."""
    counts = _filled(table).astype(float)
    return float(_mutual(counts, _expected(table)))


def mutual_info_values(table: Table) -> Floats:
    """The value of one row in each cell, with the index as their mean over rows. The expected
    information is taken as that of all rows: one row changes it by a share of 1/n."""
    counts = table.astype(float)
    n, expected = counts.sum(), _expected(table)
    across, down = counts.sum(axis=1, keepdims=True), counts.sum(axis=0, keepdims=True)
    cells, rows, columns = xlogy(counts, counts), xlogy(across, across), xlogy(down, down)
    with np.errstate(invalid="ignore", divide="ignore"):
        less = np.maximum(counts - 1, 0)
        without = _information(
            cells.sum() - cells + xlogy(less, less),
            rows.sum() - rows + xlogy(across - 1, across - 1),
            columns.sum() - columns + xlogy(down - 1, down - 1),
            n - 1,
            expected,
        )
    return _centred(adjusted_mutual_info(table), np.nan_to_num(without), counts)


def _rand(run_concurrently: Floats, first: Floats, second: Floats, n: float) -> Floats:
    """From ordered pairs: in one cluster of both, of the first, of the second; of ``n`` rows."""
    pairs = max(n * (n - 1), 1.0)
    expected = first * second / pairs
    largest = (first + second) / 2
    same = np.isclose(largest, expected, rtol=1e-12, atol=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        index = (run_concurrently - expected) / (largest - expected)
    # Both have one cluster, or none but single rows: they are the same.
    return np.asarray(np.where(same, 1.0, index))


def _mutual(counts: Floats, expected: float) -> Floats:
    across, down = counts.sum(axis=1), counts.sum(axis=0)
    return _information(
        xlogy(counts, counts).sum(),
        xlogy(across, across).sum(),
        xlogy(down, down).sum(),
        counts.sum(),
        expected,
    )


def _information(cells: Floats, rows: Floats, columns: Floats, n: float, expected: float) -> Floats:
    """From sums of x log x."""
    information = (cells - rows - columns) / n + np.log(n)
    entropy = np.log(n) - (np.asarray(rows) + columns) / (2 * n)
    scale = entropy - expected
    same = np.abs(scale) < np.finfo(float).eps
    with np.errstate(invalid="ignore", divide="ignore"):
        index = (information - expected) / scale
    return np.asarray(np.where(same, 1.0, index))


def _expected(table: Table) -> float:
    """The mutual information of unrelated clusterings with these sizes."""
    from sklearn.metrics.cluster import expected_mutual_information

    filled = _filled(table)
    return float(expected_mutual_information(filled, int(filled.sum())))


def _filled(table: Table) -> Table:
    """Without clusters that have no rows."""
    filled = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    return np.ascontiguousarray(filled)


def _centred(index: float, without: Floats, counts: Floats) -> Floats:
    """Pseudo-values of each cell's rows from the index without one of them."""
    n = counts.sum()
    values = (n - 1) * (index - np.where(counts > 0, without, index))
    return np.asarray(index + values - (values * counts).sum() / n)
