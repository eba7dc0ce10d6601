"""Values of a bounded measure as integer weights on a grid: the state of a betting test.

A value between two points of the grid is shared out between them, in the proportion that keeps its
mean. Log wealth is concave in the value, so what is computed from the points is at most the true
one: the test stays valid, and loses about ``n * (bet * step) ** 2 / 8`` of log wealth at worst. The
weights are integers: parts add exactly, and any threshold can be judged afterwards. -1, 0 and 1
are points of the grid, so that counts of wins and losses are exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .betting import Floats, log_e, log_wealth

#: Steps from ``-span`` to ``span``.
STEPS = 256
#: One observation, in units of weight.
ONE = 1 << 26


@dataclass(frozen=True)
class Grid:
    """Weights by point; point ``i`` is the value ``span * (2 * i / STEPS - 1)``."""

    span: float
    weights: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, values: ArrayLike, span: float) -> Grid:
        """Raises :class:`ValueError` for values outside ``[-span, span]``, or not finite."""
        x = np.asarray(values, dtype=float)
        if x.size and not (np.abs(x) <= span * (1 + 1e-12)).all():
            raise ValueError(f"a value lies outside of -{span} to {span}")
        position = np.clip((x / span + 1) * (STEPS / 2), 0, STEPS)
        left = np.minimum(np.floor(position), STEPS - 1)
        share = np.rint((position - left) * ONE)
        point = left.astype(np.int64)
        size = STEPS + 1
        total = np.bincount(point, weights=ONE - share, minlength=size)
        total += np.bincount(point + 1, weights=share, minlength=size)
        return cls(span, {int(i): int(total[i]) for i in np.flatnonzero(total)})

    def __add__(self, other: Grid) -> Grid:
        if self.span != other.span:
            raise ValueError(f"grids of -{self.span} to {self.span} and of another span do not add")
        return Grid(self.span, Counter(self.weights) + Counter(other.weights))

    def log_wealth(self, threshold: float, *, below: bool = False) -> Floats:
        """Log wealth of the bets against "the mean is at most ``threshold``"; with ``below``,
        against "at least"."""
        sign = -1.0 if below else 1.0
        points = np.array(sorted(self.weights), dtype=float)
        observed = np.array([self.weights[int(i)] for i in points], dtype=float) / ONE
        values = sign * self.span * (2 * points / STEPS - 1)
        return log_wealth(values, observed, sign * threshold, -self.span)

    def log_e(self, threshold: float) -> tuple[float, float]:
        """Log e-values for "the mean lies above ``threshold``" and for "below"."""
        return log_e(self.log_wealth(threshold)), log_e(self.log_wealth(threshold, below=True))

    def document(self) -> dict[str, Any]:
        points = sorted(self.weights)
        return {"span": self.span, "points": points, "weights": [self.weights[i] for i in points]}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Grid:
        """The inverse of :meth:`document`. Raises :class:`ValueError`."""
        points, weights = document["points"], document["weights"]
        if len(points) != len(weights) or not all(
            0 <= i <= STEPS and weight > 0 for i, weight in zip(points, weights, strict=False)
        ):
            raise ValueError("a grid has one weight above 0 for each of its points")
        return cls(float(document["span"]), dict(zip(points, weights, strict=True)))
