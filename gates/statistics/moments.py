"""Count, mean and centred sum of squares: mergeable, in any order, without loss of precision.

Chan, Golub, LeVeque (1979), "Updating formulae and a pairwise algorithm for computing sample
variances".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Moments:
    """``n`` values of mean ``mean``; ``m2`` is the sum of squared distances from the mean."""

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0

    @classmethod
    def of(cls, values: ArrayLike) -> Moments:
        """The moments of ``values``; empty values give empty moments."""
        array = np.asarray(values, dtype=float)
        if array.size == 0:
            return cls()
        mean = float(array.mean())
        return cls(int(array.size), mean, float(((array - mean) ** 2).sum()))

    def __add__(self, other: Moments) -> Moments:
        n = self.n + other.n
        if self.n == 0 or other.n == 0:
            return other if self.n == 0 else self
        step = other.mean - self.mean
        mean = self.mean + step * other.n / n
        return Moments(n, mean, self.m2 + other.m2 + step * step * self.n * other.n / n)

    @property
    def variance(self) -> float:
        """Sample variance; NaN for fewer than two values."""
        return self.m2 / (self.n - 1) if self.n > 1 else math.nan

    @property
    def deviation(self) -> float:
        """Sample standard deviation; NaN for fewer than two values."""
        return math.sqrt(self.variance) if self.n > 1 else math.nan

    def negated(self) -> Moments:
        """The moments of the negated values."""
        return Moments(self.n, -self.mean, self.m2)
