"""Bounds on measures of clusters in traffic, block by block: shares, and indices of agreement.

An index is that of all requests so far. Each request has a value whose mean is the index (the
jackknife's, see :mod:`.statistics.clusterings`), so that its variance is that of a ratio of the
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
from ..metrics.losses import Floats
from ..policy.hypotheses import Hypothesis
from ..policy.promotion import ShadowPolicy
from ..statistics.clusterings import adjusted_rand, rand_values
from ..statistics.rare_variance import least_variance
from .estimators import Bounds, sequence_bounds


@dataclass
class ClusterBlocks:
    """A block is one unit."""

    policy: ShadowPolicy
    claim: Hypothesis
    alpha_fail: float
    cells: list[BlockSummary] = field(default_factory=list)

    def add(self, cell: BlockSummary) -> None:
        self.cells.append(cell)

    def bounds(self) -> Bounds:
        if self.claim.metric.uses == "share":
            return self._shares()
        parts = _parts(self.claim, self.cells)
        differing = min(_off_the_largest(_pooled(self.cells, who)) for who in self.cells[-1].tables)
        return self._ratio(parts, self.alpha_fail, differing)

    def _shares(self) -> Bounds:
        names = sorted({name for cell in self.cells for name in cell.tables["challenger"]})
        sign = self.claim.sign or 1.0
        found = []
        for name in names:
            inside = np.array([cell.tables["challenger"].get(name, 0) for cell in self.cells])
            parts = sign * inside.astype(float)
            found.append(self._ratio(parts, self.alpha_fail / len(names), int(inside.sum())))
        least = min(found, key=lambda item: item.mean)
        return Bounds(
            least.units,
            least.mean,
            min(item.lower for item in found),
            min(item.upper for item in found),
            max(item.p_pass for item in found),
            min(1.0, len(names) * min(item.p_fail for item in found)),
            min(item.log_e_pass for item in found),
            max(item.log_e_fail for item in found) - math.log(len(names)),
        )

    def _ratio(self, parts: Floats, alpha_fail: float, differing: int) -> Bounds:
        """Bounds on the blocks' sums over their requests."""
        sizes = np.array([cell.sums.n for cell in self.cells], dtype=float)
        n, size = len(sizes), float(sizes.mean())
        mean = float(parts.sum() / sizes.sum())
        if n < 2:
            return sequence_bounds(self.policy, self.claim, alpha_fail, n, mean, math.inf)
        residuals = (parts - mean * sizes) / size
        least = least_variance(self.claim.threshold, self.claim.span, differing) or 0.0
        variance = max(float(residuals @ residuals) / (n - 1), least / size)
        spread = math.sqrt(variance)
        return sequence_bounds(self.policy, self.claim, alpha_fail, n, mean, spread)


def own_value(claim: Hypothesis, cell: BlockSummary) -> float:
    """x of one block alone."""
    return float(_of_tables(claim, [cell]))


def mean_losses(
    claim: Hypothesis, cells: Sequence[BlockSummary]
) -> tuple[float | None, float | None]:
    """The losses of champion and challenger over all blocks; the champion's if it is compared."""
    if not cells:
        return None, None
    if claim.metric.uses == "share":
        return None, abs(_of_tables(claim, cells))
    champion = _loss(claim, cells, "champion") if claim.comparative else None
    return champion, _loss(claim, cells, "challenger")


def _of_tables(claim: Hypothesis, cells: Sequence[BlockSummary]) -> float:
    if claim.metric.uses == "share":
        table = _pooled(cells, "challenger")
        shares = [(claim.sign or 1.0) * number for number in table.values()]
        return min(shares) / max(sum(table.values()), 1)
    x = claim.values(
        np.array([_loss(claim, cells, "champion")]) if claim.comparative else None,
        np.array([_loss(claim, cells, "challenger")]),
    )
    return float(x[0])


def _loss(claim: Hypothesis, cells: Sequence[BlockSummary], who: str) -> float:
    return claim.metric.measure(adjusted_rand(_square(_pooled(cells, who))[0]))


def _parts(claim: Hypothesis, cells: Sequence[BlockSummary]) -> Floats:
    """The sum of x over each block's requests."""
    champion = _sums(claim, cells, "champion") if claim.comparative else None
    return claim.values(champion, _sums(claim, cells, "challenger"))


def _sums(claim: Hypothesis, cells: Sequence[BlockSummary], who: str) -> Floats:
    """The sum of the losses' values over each block's requests."""
    table, place = _square(_pooled(cells, who))
    losses = claim.metric.loss(rand_values(table))
    return np.array(
        [
            sum(number * losses[place(name)] for name, number in cell.tables.get(who, {}).items())
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

    def place(name: str) -> tuple[int, int]:
        first, _, last = name.rpartition("|")
        return rows[first], columns[last]

    for name, number in table.items():
        matrix[place(name)] += number
    return matrix, place


def _off_the_largest(table: Table) -> int:
    """How many requests are outside of the largest pair of their first cluster: with none, both
    clusterings are the same, and their index has no variance yet."""
    matrix = _square(table)[0]
    return int(matrix.sum() - matrix.max(axis=1).sum())
