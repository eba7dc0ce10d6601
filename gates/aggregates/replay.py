"""The result of replaying traffic: sums that add to the bit, in any order.

A partition's rows become a :class:`ReplayAggregate` and are forgotten; the aggregates of the
partitions add up to that of the window, wherever they were computed. The size grows by a few
numbers for each judged block, never with the requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..statistics.log_histogram import LogHistogram
from ..statistics.sums import Sums
from .block import BlockSummary
from .distributions import Distributions

__all__ = ["BlockSummary", "Key", "ReplayAggregate", "Source"]

#: A hypothesis, and the value of its column where it is one of a slice.
Key = tuple[str, str | None]


@dataclass(frozen=True)
class Source:
    """A partition that was read, with the digest of its bytes and the rows in it."""

    name: str
    digest: str
    rows: int


def named(sources: Iterable[Source]) -> list[dict[str, Any]]:
    """Partitions as a report names them."""
    return [asdict(item) for item in sorted(sources, key=lambda s: (s.name, s.digest))]


@dataclass
class ReplayAggregate:
    """``blocks`` by name, each with its cells; ``counts`` of requests by what became of them.

    ``sources`` and ``labels`` are the partitions read; labels once for each state they were in.
    ``tables`` count what goes together (both models' answers, decision and label), ``histograms``
    times (latencies in ms, delays of labels in hours). ``identity`` says what was judged how:
    margins, unit, policy and models; tallies of different ones do not add.
    """

    blocks: dict[str, dict[Key, BlockSummary]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    distributions: Distributions = field(default_factory=Distributions)
    sources: list[Source] = field(default_factory=list)
    tables: dict[str, Counter[str]] = field(default_factory=dict)
    histograms: dict[str, LogHistogram] = field(default_factory=dict)
    identity: str = ""
    labels: set[Source] = field(default_factory=set)
    #: By hypothesis, sums of x over requests without a label, with the label that is worst.
    unlabelled: dict[str, Sums] = field(default_factory=dict)

    def merge(self, other: ReplayAggregate) -> None:
        """Add ``other`` to this one, in time that depends on ``other`` only. Raises
        :class:`ValueError` when it was judged otherwise."""
        if other.identity != self.identity:
            if self.blocks or self.counts or self.sources:
                raise ValueError("sums judged by another policy, unit, margin or model do not add")
            self.identity = other.identity
        for name, cells in other.blocks.items():
            mine = self.blocks.setdefault(name, {})
            for key, cell in cells.items():
                mine[key] = mine[key] + cell if key in mine else cell
        self.counts.update(other.counts)
        self.distributions = self.distributions + other.distributions
        self.sources.extend(other.sources)
        self.labels |= other.labels
        for hypothesis, sums in other.unlabelled.items():
            self.unlabelled[hypothesis] = self.unlabelled.get(hypothesis, Sums()) + sums
        for name, table in other.tables.items():
            self.tables.setdefault(name, Counter()).update(table)
        for name, histogram in other.histograms.items():
            self.histograms[name] = self.histograms.get(name, LogHistogram()) + histogram

    def cells(self, key: Key) -> list[tuple[str, BlockSummary]]:
        """The blocks in which there is something on ``key``, in order of time."""
        return [(name, cells[key]) for name, cells in sorted(self.blocks.items()) if key in cells]

    def slice_rows(self, hypothesis: str) -> dict[str, int]:
        """How many requests each value of a slice's column has."""
        rows: Counter[str] = Counter()
        for cells in self.blocks.values():
            for (key, value), cell in cells.items():
                if key == hypothesis and value is not None:
                    rows[value] += cell.sums.n
        return dict(rows)

    def document(self) -> dict[str, Any]:
        """All of it as plain JSON, the same for the same sums."""
        return {
            "identity": self.identity,
            "blocks": {
                name: [
                    [hypothesis, value, cell.document()]
                    for (hypothesis, value), cell in sorted(
                        cells.items(), key=lambda item: (item[0][0], item[0][1] or "")
                    )
                ]
                for name, cells in sorted(self.blocks.items())
            },
            "counts": dict(sorted(self.counts.items())),
            "distributions": self.distributions.document(),
            "sources": named(self.sources),
            "labels": named(self.labels),
            "unlabelled": {key: self.unlabelled[key].document() for key in sorted(self.unlabelled)},
            "tables": {
                name: dict(sorted(table.items())) for name, table in sorted(self.tables.items())
            },
            "histograms": {name: item.document() for name, item in sorted(self.histograms.items())},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ReplayAggregate:
        """The inverse of :meth:`document`. Raises ValueError, KeyError or TypeError for what it did
        not."""
        return cls(
            {
                name: {
                    (hypothesis, value): BlockSummary.from_document(cell)
                    for hypothesis, value, cell in cells
                }
                for name, cells in document["blocks"].items()
            },
            Counter(document["counts"]),
            Distributions.from_document(document["distributions"]),
            [Source(**item) for item in document["sources"]],
            {name: Counter(table) for name, table in document["tables"].items()},
            {
                name: LogHistogram.from_document(item)
                for name, item in document["histograms"].items()
            },
            document["identity"],
            {Source(**item) for item in document.get("labels", ())},
            {k: Sums.from_document(item) for k, item in document.get("unlabelled", {}).items()},
        )
