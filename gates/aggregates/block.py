"""One hypothesis's x within one block, as sums that add to the bit in any order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..metrics.losses import Floats
from ..statistics.exact import ExactSum
from ..statistics.grid import Grid
from ..statistics.moments import Moments
from ..statistics.sums import Sums
from .clusters import Tables, add_tables

#: A cluster's requests and their sum of x, by its key.
Clusters = Mapping[str, tuple[int, ExactSum]]


@dataclass(frozen=True)
class BlockSummary:
    """``sums`` of x, how many values are not 0, and the sums of the two models' losses; ``grid``
    where single requests are judged, ``clusters`` where clusters are. ``tables`` are counts of a
    clustering's clusters by model, where they are judged: x is 0 then."""

    sums: Sums = field(default_factory=Sums)
    differing: int = 0
    champion_loss: ExactSum = field(default_factory=ExactSum)
    challenger_loss: ExactSum = field(default_factory=ExactSum)
    grid: Grid | None = None
    clusters: Clusters = field(default_factory=dict)
    tables: Tables = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        x: Floats,
        champion: Floats | None,
        challenger: Floats,
        *,
        span: float | None = None,
        clusters: NDArray[Any] | None = None,
    ) -> BlockSummary:
        """``span`` requests a grid, ``clusters`` is each row's."""
        return cls(
            Sums.of(x),
            int(np.count_nonzero(x)),
            ExactSum() if champion is None or not x.size else ExactSum.of(champion),
            ExactSum.of(challenger) if x.size else ExactSum(),
            None if span is None else Grid.of(x, span),
            {} if clusters is None else _by_cluster(x, clusters),
        )

    @classmethod
    def of_tables(cls, tables: Tables, rows: int) -> BlockSummary:
        """The cell of ``rows`` requests that are judged by counts of clusters."""
        return cls(Sums.of(np.zeros(rows)), rows, tables=tables)

    @cached_property
    def x(self) -> Moments:
        return self.sums.moments

    def __add__(self, other: BlockSummary) -> BlockSummary:
        clusters = dict(self.clusters)
        for key, (n, total) in other.clusters.items():
            mine = clusters.get(key, (0, ExactSum()))
            clusters[key] = (mine[0] + n, mine[1] + total)
        if self.grid is None or other.grid is None:
            grid = other.grid if self.grid is None else self.grid
        else:
            grid = self.grid + other.grid
        return BlockSummary(
            self.sums + other.sums,
            self.differing + other.differing,
            self.champion_loss + other.champion_loss,
            self.challenger_loss + other.challenger_loss,
            grid,
            clusters,
            add_tables(self.tables, other.tables),
        )

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "sums": self.sums.document(),
            "differing": self.differing,
            "losses": [self.champion_loss.text(), self.challenger_loss.text()],
        }
        if self.grid is not None:
            document["grid"] = self.grid.document()
        if self.clusters:
            document["clusters"] = {
                key: [n, total.text()] for key, (n, total) in sorted(self.clusters.items())
            }
        if self.tables:
            document["tables"] = {
                who: dict(sorted(table.items())) for who, table in sorted(self.tables.items())
            }
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> BlockSummary:
        """The inverse of :meth:`document`. Raises :class:`ValueError`."""
        champion, challenger = (ExactSum.parse(text) for text in document["losses"])
        return cls(
            Sums.from_document(document["sums"]),
            int(document["differing"]),
            champion,
            challenger,
            Grid.from_document(document["grid"]) if "grid" in document else None,
            {
                key: (int(n), ExactSum.parse(text))
                for key, (n, text) in document.get("clusters", {}).items()
            },
            {who: dict(table) for who, table in document.get("tables", {}).items()},
        )


def _by_cluster(x: Floats, clusters: NDArray[Any]) -> dict[str, tuple[int, ExactSum]]:
    codes, names = pd.factorize(clusters)
    order = np.argsort(codes, kind="stable")
    parts = np.split(x[order], np.cumsum(np.bincount(codes))[:-1])
    return {
        str(name): (part.size, ExactSum.of(part)) for name, part in zip(names, parts, strict=True)
    }
