"""Bounds on measures of clusters in traffic, block by block: shares, and indices of agreement.

An index is that of all requests so far. Each request has a value whose mean is the index (the
jackknife's, see :mod:`..metrics.agreement`), so that its variance is that of a ratio of the
blocks' sums to their sizes, and blocks stay what is independent. A share of the smallest or largest
cluster is judged for every cluster: PASS takes all of them, FAIL any, at its part of the error
rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..aggregates.block import BlockSummary
from ..aggregates.clusters import Table, add_tables
from ..metrics.agreement import adjusted_rand, rand_values
from ..metrics.losses import Floats
from ..policy.hypotheses import Hypothesis
from ..policy.promotion import ShadowPolicy
from ..statistics.rare_variance import least_variance
from .estimators import Bounds, sequence_bounds


@dataclass
class ClusterBlocks:
    """A block is one unit."""

    policy: ShadowPolicy
    hypothesis: Hypothesis
    alpha_fail: float
    cells: list[BlockSummary] = field(default_factory=list)

    def add(self, cell: BlockSummary) -> None:
        self.cells.append(cell)

    def bounds(self) -> Bounds:
        if self.hypothesis.metric.uses == "share":
            return self._shares()
        parts = _parts(self.hypothesis, self.cells)
        differing = min(_off_the_largest(_pooled(self.cells, who)) for who in self.cells[-1].tables)
        return self._ratio(parts, self.alpha_fail, differing)

    def _shares(self) -> Bounds:
        names = sorted({name for cell in self.cells for name in cell.tables["challenger"]})
        sign = self.hypothesis.sign or 1.0
        ratios = []
        for name in names:
            inside = np.array([cell.tables["challenger"].get(name, 0) for cell in self.cells])
            parts = sign * inside.astype(float)
            ratios.append(self._ratio(parts, self.alpha_fail / len(names), int(inside.sum())))
        least = min(ratios, key=lambda item: item.mean)
        return Bounds(
            least.units,
            least.mean,
            min(item.lower for item in ratios),
            min(item.upper for item in ratios),
            max(item.p_pass for item in ratios),
            min(1.0, len(names) * min(item.p_fail for item in ratios)),
            min(item.log_e_pass for item in ratios),
            max(item.log_e_fail for item in ratios) - math.log(len(names)),
        )

    def _ratio(self, parts: Floats, alpha_fail: float, differing: int) -> Bounds:
        """Bounds on the blocks' sums over their requests."""
        sizes = np.array([cell.sums.n for cell in self.cells], dtype=float)
        n, size = len(sizes), float(sizes.mean())
        mean = float(parts.sum() / sizes.sum())
        if n < 2:
            return sequence_bounds(self.policy, self.hypothesis, alpha_fail, n, mean, math.inf)
        residuals = (parts - mean * sizes) / size
        least = least_variance(self.hypothesis.threshold, self.hypothesis.range, differing) or 0.0
        variance = max(float(residuals @ residuals) / (n - 1), least / size)
        spread = math.sqrt(variance)
        return sequence_bounds(self.policy, self.hypothesis, alpha_fail, n, mean, spread)


def own_value(hypothesis: Hypothesis, cell: BlockSummary) -> float:
    """x of one block alone."""
    return float(_of_tables(hypothesis, [cell]))


def mean_losses(
    hypothesis: Hypothesis, cells: Sequence[BlockSummary]
) -> tuple[float | None, float | None]:
    """The losses of champion and challenger over all blocks; the champion's if it is compared."""
    if not cells:
        return None, None
    if hypothesis.metric.uses == "share":
        return None, abs(_of_tables(hypothesis, cells))
    champion = _loss(hypothesis, cells, "champion") if hypothesis.comparative else None
    return champion, _loss(hypothesis, cells, "challenger")


def _of_tables(hypothesis: Hypothesis, cells: Sequence[BlockSummary]) -> float:
    if hypothesis.metric.uses == "share":
        table = _pooled(cells, "challenger")
        shares = [(hypothesis.sign or 1.0) * number for number in table.values()]
        return min(shares) / max(sum(table.values()), 1)
    x = hypothesis.values(
        np.array([_loss(hypothesis, cells, "champion")]) if hypothesis.comparative else None,
        np.array([_loss(hypothesis, cells, "challenger")]),
    )
    return float(x[0])


def _loss(hypothesis: Hypothesis, cells: Sequence[BlockSummary], who: str) -> float:
    return hypothesis.metric.measure(adjusted_rand(_square(_pooled(cells, who))[0]))


def _parts(hypothesis: Hypothesis, cells: Sequence[BlockSummary]) -> Floats:
    """The sum of x over each block's requests."""
    champion = _sums(hypothesis, cells, "champion") if hypothesis.comparative else None
    return hypothesis.values(champion, _sums(hypothesis, cells, "challenger"))


def _sums(hypothesis: Hypothesis, cells: Sequence[BlockSummary], who: str) -> Floats:
    """The sum of the losses' values over each block's requests."""
    table, cell_of = _square(_pooled(cells, who))
    losses = hypothesis.metric.loss(rand_values(table))
    return np.array(
        [
            sum(number * losses[cell_of(name)] for name, number in cell.tables.get(who, {}).items())
            for cell in cells
        ],
        dtype=float,
    )


def _pooled(cells: Sequence[BlockSummary], who: str) -> Table:
    pooled: dict[str, dict[str, int]] = {who: {}}
    for cell in cells:
        pooled = add_tables(pooled, {who: cell.tables.get(who, {})})
    return pooled[who]


def _square(table: Table) -> tuple[NDArray[np.int64], Callable[[str], tuple[int, int]]]:
    """Counts of pairs as a matrix, and where in it a pair is."""
    names = {name: name.rpartition("|") for name in table}
    rows = {name: i for i, name in enumerate(sorted({first for first, _, _ in names.values()}))}
    columns = {name: i for i, name in enumerate(sorted({last for _, _, last in names.values()}))}
    matrix = np.zeros((max(len(rows), 1), max(len(columns), 1)), dtype=np.int64)

    def cell_of(name: str) -> tuple[int, int]:
        first, _, last = name.rpartition("|")
        return rows[first], columns[last]

    for name, number in table.items():
        matrix[cell_of(name)] += number
    return matrix, cell_of


def _off_the_largest(table: Table) -> int:
    """How many requests are outside of the largest pair of their first cluster: with none, both
    clusterings are the same, and their index has no variance yet."""
    matrix = _square(table)[0]
    return int(matrix.sum() - matrix.max(axis=1).sum())
