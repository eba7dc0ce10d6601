"""Count, sum and sum of squares of a measure: adds exactly, so that no split or order shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .exact import ExactSum
from .moments import Moments


@dataclass(frozen=True)
class Sums:
    """``n`` values, their sum, and the sum of their squares (each square rounded once)."""

    n: int = 0
    total: ExactSum = field(default_factory=ExactSum)
    squares: ExactSum = field(default_factory=ExactSum)

    @classmethod
    def of(cls, values: ArrayLike) -> Sums:
        array = np.asarray(values, dtype=float)
        if array.size == 0:
            return cls()
        return cls(int(array.size), ExactSum.of(array), ExactSum.of(array * array))

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.n + other.n, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> float:
        """The mean, rounded once; 0 without values."""
        return float(self.total.fraction / self.n) if self.n else 0.0

    @property
    def moments(self) -> Moments:
        """The same as count, mean and centred sum of squares."""
        if not self.n:
            return Moments()
        total = self.total.fraction
        centred = self.squares.fraction - total * total / self.n
        return Moments(self.n, float(total / self.n), float(max(centred, Fraction(0))))

    def document(self) -> list[Any]:
        return [self.n, self.total.text(), self.squares.text()]

    @classmethod
    def from_document(cls, document: Any) -> Sums:
        """The inverse of :meth:`document`. Raises :class:`ValueError`."""
        if isinstance(document, Mapping) or len(document) != 3 or int(document[0]) < 0:
            raise ValueError("sums are a count and two exact sums")
        return cls(int(document[0]), ExactSum.parse(document[1]), ExactSum.parse(document[2]))
