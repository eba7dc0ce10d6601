"""Latencies as counts in buckets that grow by 2 %: adds exactly, in a few hundred integers.

Counts are exact at the edges of buckets, so that a band of quantiles needs no allowance for the
summary: it is widened outward to the next edge. (Masson, Rim, Lee, "DDSketch", PVLDB 12 (2019)
2195, is the same layout with a bound on the number of buckets.)
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from .bernoulli import rank_band

GROWTH = 1.02
#: Shorter than this counts as this: a nanosecond, where the values are milliseconds.
_LEAST = 1e-6


@dataclass(frozen=True)
class LogHistogram:
    """Counts by bucket; bucket ``b`` holds values above ``GROWTH ** (b - 1)`` up to
    ``GROWTH ** b``."""

    counts: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, values: ArrayLike) -> LogHistogram:
        """Raises :class:`ValueError` for negative values, NaN and infinity."""
        x = np.asarray(values, dtype=float)
        if x.size and not (np.isfinite(x) & (x >= 0)).all():
            raise ValueError("latencies are finite and not negative")
        buckets = np.ceil(np.log(np.maximum(x, _LEAST)) / math.log(GROWTH) - 1e-9)
        edges, counts = np.unique(buckets.astype(np.int64), return_counts=True)
        return cls({int(b): int(c) for b, c in zip(edges, counts, strict=True)})

    @property
    def n(self) -> int:
        return sum(self.counts.values())

    def __add__(self, other: LogHistogram) -> LogHistogram:
        return LogHistogram(Counter(self.counts) + Counter(other.counts))

    def quantile(self, p: float) -> float:
        """The upper edge of the bucket in which the ``p``-quantile lies; NaN without values."""
        bucket = self._bucket(max(1, math.ceil(p * self.n - 1e-9)))
        return math.nan if bucket is None else GROWTH**bucket

    def band(self, p: float, alpha: float, expected: float) -> tuple[float, float]:
        """Between which values the ``p``-quantile lies, valid at every look together."""
        n = self.n
        low, high = rank_band(p, n, alpha, expected)
        first = None if low <= 0 else self._bucket(math.floor(low * n))
        last = None if high >= 1 else self._bucket(math.floor(high * n) + 1)
        return (
            0.0 if first is None else GROWTH ** (first - 1),
            math.inf if last is None else GROWTH**last,
        )

    def curve(self) -> list[tuple[float, float]]:
        """Upper edges of the buckets and the share of values up to each."""
        n, cumulative, points = self.n, 0, []
        for bucket in sorted(self.counts):
            cumulative += self.counts[bucket]
            points.append((GROWTH**bucket, cumulative / n))
        return points

    def document(self) -> dict[str, int]:
        return {str(bucket): self.counts[bucket] for bucket in sorted(self.counts)}

    @classmethod
    def from_document(cls, document: Mapping[str, int]) -> LogHistogram:
        return cls({int(bucket): int(count) for bucket, count in document.items()})

    def _bucket(self, rank: int) -> int | None:
        """The bucket of the ``rank``-th smallest value, from 1; None where there is none."""
        if rank < 1:
            return None
        cumulative = 0
        for bucket in sorted(self.counts):
            cumulative += self.counts[bucket]
            if cumulative >= rank:
                return bucket
        return None
