"""The three ways to turn blocks into bounds, by what the policy counts as independent.

Blocks and clusters: asymptotic confidence sequences on a mean over requests, of which the blocks or
clusters are what is independent. Single requests: an exact betting test where x is bounded, else
the sequence on requests. Each accepts cells one after the other and has bounds after any of them,
which are valid at all of these looks together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from ..aggregates.block import BlockSummary
from ..policy.hypotheses import Hypothesis
from ..policy.promotion import ShadowPolicy
from ..statistics.asymptotic import one_sided_half_width, one_sided_log_e, one_sided_p, rho
from ..statistics.betting import log_e
from ..statistics.exact import ExactSum
from ..statistics.grid import Grid
from ..statistics.rare_variance import least_variance
from ..statistics.sums import Sums


@dataclass(frozen=True)
class Bounds:
    """Mean of x over ``units``, with bounds and one-sided anytime p-values; ``log_e`` values are
    natural logarithms of the e-values for PASS and FAIL, of which p is about 1 / e."""

    units: int
    mean: float
    lower: float
    upper: float
    p_pass: float
    p_fail: float
    log_e_pass: float
    log_e_fail: float


class SequentialEstimator(Protocol):
    def add(self, cell: BlockSummary) -> None: ...

    def bounds(self) -> Bounds: ...


def engine(policy: ShadowPolicy, hypothesis: Hypothesis, alpha_fail: float) -> SequentialEstimator:
    """The engine for the policy's unit."""
    if policy.unit == "cluster":
        return Clustered(policy, hypothesis, alpha_fail)
    if policy.unit == "request":
        if hypothesis.range is not None:
            return Betting(policy, hypothesis, alpha_fail)
        return Requests(policy, hypothesis, alpha_fail)
    return Blocks(policy, hypothesis, alpha_fail)


@dataclass
class _Sequence:
    """Shared by engines that use the asymptotic confidence sequence."""

    policy: ShadowPolicy
    hypothesis: Hypothesis
    alpha_fail: float

    def _bounds(self, n: int, mean: float, spread: float) -> Bounds:
        to_pass = rho(2 * self.policy.alpha, self.policy.expected_blocks)
        to_fail = rho(2 * self.alpha_fail, self.policy.expected_blocks)
        if n < 2 or not math.isfinite(spread):
            return Bounds(n, mean, -math.inf, math.inf, 1.0, 1.0, 0.0, 0.0)
        threshold = self.hypothesis.threshold
        return Bounds(
            n,
            mean,
            mean - one_sided_half_width(n, spread, self.policy.alpha, to_pass),
            mean + one_sided_half_width(n, spread, self.alpha_fail, to_fail),
            one_sided_p(n, mean, spread, threshold, to_pass),
            one_sided_p(n, -mean, spread, -threshold, to_fail),
            _finite(one_sided_log_e(n, mean, spread, threshold, to_pass)),
            _finite(one_sided_log_e(n, -mean, spread, -threshold, to_fail)),
        )


@dataclass
class Blocks(_Sequence):
    """A block is one unit. The estimate is the ratio of all blocks' sums to their weights: their
    numbers of requests, or 1 each with the block's mean as its sum (``weighting: blocks``). Its
    variance is that of the ratio estimator over blocks, as in :class:`Clustered`; the residuals
    stay in the order of time."""

    weights: list[int] = field(default_factory=list)
    parts: list[float] = field(default_factory=list)
    total: Fraction = Fraction(0)
    differing: int = 0
    inverse_sizes: float = 0.0

    def add(self, cell: BlockSummary) -> None:
        total = cell.sums.total.fraction
        weight, part = (
            (1, total / cell.sums.n) if self.policy.weighting == "blocks" else (cell.sums.n, total)
        )
        self.weights.append(weight)
        self.parts.append(float(part))
        self.total += part
        self.differing += cell.differing
        self.inverse_sizes += 1 / cell.sums.n

    @property
    def mean(self) -> float:
        return float(self.total / sum(self.weights))

    def residuals(self) -> NDArray[np.float64]:
        """The deviation of each block from the mean, in the order of time, in units of a block of
        average size; empty without blocks."""
        if not self.weights:
            return np.empty(0)
        size = sum(self.weights) / len(self.weights)
        return (np.array(self.parts) - self.mean * np.array(self.weights, dtype=float)) / size

    def bounds(self) -> Bounds:
        n = len(self.weights)
        if n < 2:
            return self._bounds(n, self.mean if n else 0.0, math.inf)
        residuals = self.residuals()
        return self.bounds_with(float(residuals @ residuals) / (n - 1))

    def bounds_with(self, variance: float) -> Bounds:
        """The bounds for this variance of one block, or for the least that rare differences allow,
        if that is larger."""
        n = len(self.weights)
        size = sum(self.weights) / n
        least = least_variance(self.hypothesis.threshold, self.hypothesis.range, self.differing)
        weighted = self.inverse_sizes / n if self.policy.weighting == "blocks" else 1 / size
        floor = (least or 0.0) * weighted
        return self._bounds(n, self.mean, math.sqrt(max(variance, floor)))


@dataclass
class Requests(_Sequence):
    """Each request is one unit, of a measure without a largest value."""

    sums: Sums = field(default_factory=Sums)

    def add(self, cell: BlockSummary) -> None:
        self.sums = self.sums + cell.sums

    def bounds(self) -> Bounds:
        moments = self.sums.moments
        return self._bounds(moments.n, moments.mean, moments.deviation if moments.n > 1 else 0.0)


@dataclass
class Clustered(_Sequence):
    """All requests of one key are one unit; the mean is over requests, its variance that of the
    ratio estimator over clusters (Cochran, "Sampling Techniques", chapter 9)."""

    clusters: dict[str, tuple[int, ExactSum]] = field(default_factory=dict)
    differing: int = 0
    #: Over clusters: sums of squares of x, of x times size, of size; kept as cells are added.
    xx: Fraction = Fraction(0)
    xn: Fraction = Fraction(0)
    nn: int = 0
    total: Fraction = Fraction(0)
    requests: int = 0

    def add(self, cell: BlockSummary) -> None:
        self.differing += cell.differing
        for key, (n, part) in cell.clusters.items():
            size, before = self.clusters.get(key, (0, ExactSum()))
            after = before + part
            self.clusters[key] = (size + n, after)
            old, new = before.fraction, after.fraction
            self.xx += new * new - old * old
            self.xn += new * (size + n) - old * size
            self.nn += (size + n) ** 2 - size**2
            self.total += part.fraction
            self.requests += n

    def bounds(self) -> Bounds:
        units = len(self.clusters)
        if units < 2:
            return self._bounds(units, 0.0, math.inf)
        mean = self.total / self.requests
        residual = max(self.xx - 2 * mean * self.xn + mean * mean * self.nn, Fraction(0))
        size = Fraction(self.requests, units)
        variance = float(residual / (units - 1) / (size * size))
        least = least_variance(self.hypothesis.threshold, self.hypothesis.range, self.differing)
        return self._bounds(
            units, float(mean), math.sqrt(max(variance, (least or 0.0) / float(size)))
        )


@dataclass
class Betting:
    """Each request is one unit, of a bounded measure: exact at any number of requests."""

    policy: ShadowPolicy
    hypothesis: Hypothesis
    alpha_fail: float
    sums: Sums = field(default_factory=Sums)
    grid: Grid | None = None

    def add(self, cell: BlockSummary) -> None:
        self.sums = self.sums + cell.sums
        if cell.grid is not None:
            self.grid = cell.grid if self.grid is None else self.grid + cell.grid

    def bounds(self) -> Bounds:
        if self.grid is None or not self.sums.n:
            return Bounds(0, 0.0, -math.inf, math.inf, 1.0, 1.0, 0.0, 0.0)
        most = self.grid.span * (1 - 1e-9)
        up, down = self.grid.log_e(min(max(self.hypothesis.threshold, -most), most))
        return Bounds(
            self.sums.n,
            self.sums.mean,
            self._end(self.policy.alpha, below=False),
            self._end(self.alpha_fail, below=True),
            min(1.0, math.exp(-max(min(up, 700.0), 0.0))),
            min(1.0, math.exp(-max(min(down, 700.0), 0.0))),
            up,
            down,
        )

    def _end(self, alpha: float, *, below: bool) -> float:
        """The threshold that the data are just able to reject."""
        assert self.grid is not None
        grid, span, line = self.grid, self.grid.span, math.log(1 / alpha)
        edge = span * (1 - 1e-9) * (1 if below else -1)

        def over(threshold: float) -> float:
            return log_e(grid.log_wealth(threshold, below=below)) - line

        mean = min(max(self.sums.mean, -span * (1 - 1e-9)), span * (1 - 1e-9))
        if mean == edge or over(edge) <= 0:
            return edge
        return float(brentq(over, min(edge, mean), max(edge, mean), xtol=1e-9))


def sequence_bounds(
    policy: ShadowPolicy,
    hypothesis: Hypothesis,
    alpha_fail: float,
    n: int,
    mean: float,
    spread: float,
) -> Bounds:
    """Bounds on a mean over ``n`` units with this standard deviation of one unit."""
    return _Sequence(policy, hypothesis, alpha_fail)._bounds(n, mean, spread)


def _finite(log_e: float) -> float:
    return min(max(log_e, -700.0), 700.0)
