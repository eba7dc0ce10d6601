"""What replaying traffic leaves behind: sums that add, in any order.

A partition's rows become a :class:`Tally` and are forgotten; tallies of partitions add up to that
of the window, wherever they were made. Its size grows with the blocks judged by a few numbers
each, never with the requests.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from .distributions import Distributions
from .losses import Floats
from .statistics.moments import Moments


@dataclass(frozen=True)
class Cell:
    """One claim's x within one block: its moments, how many values are not 0, and the sums of the
    two models' losses."""

    x: Moments = field(default_factory=Moments)
    differing: int = 0
    champion_loss: float = 0.0
    challenger_loss: float = 0.0

    @classmethod
    def of(cls, x: Floats, champion: Floats | None, challenger: Floats) -> Cell:
        return cls(
            Moments.of(x),
            int(np.count_nonzero(x)),
            0.0 if champion is None else float(champion.sum()),
            float(challenger.sum()),
        )

    def __add__(self, other: Cell) -> Cell:
        return Cell(
            self.x + other.x,
            self.differing + other.differing,
            self.champion_loss + other.champion_loss,
            self.challenger_loss + other.challenger_loss,
        )


#: A claim, and the value of its column where it is one of a slice.
Key = tuple[str, str | None]


@dataclass(frozen=True)
class Source:
    """A partition that was read, with the digest of its bytes and the rows in it."""

    name: str
    digest: str
    rows: int


@dataclass
class Tally:
    """``blocks`` by name, each with its cells; ``counts`` of requests by what became of them."""

    blocks: dict[str, dict[Key, Cell]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    distributions: Distributions = field(default_factory=Distributions)
    sources: list[Source] = field(default_factory=list)

    def absorb(self, other: Tally) -> None:
        """Add ``other`` to this one, in time that depends on ``other`` only."""
        for name, cells in other.blocks.items():
            mine = self.blocks.setdefault(name, {})
            for key, cell in cells.items():
                mine[key] = mine[key] + cell if key in mine else cell
        self.counts.update(other.counts)
        self.distributions = self.distributions + other.distributions
        self.sources.extend(other.sources)

    def cells(self, key: Key) -> list[tuple[str, Cell]]:
        """The blocks in which there is something on ``key``, in order of time."""
        return [(name, cells[key]) for name, cells in sorted(self.blocks.items()) if key in cells]

    def slice_values(self, claim: str) -> list[str]:
        """The values of a slice's column that were seen."""
        return sorted(
            {
                value
                for cells in self.blocks.values()
                for key, value in cells
                if key == claim and value is not None
            }
        )
