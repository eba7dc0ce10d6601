"""Wilson's one-sided bounds of a proportion.

Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927) 209.
"""

from __future__ import annotations

import math

from scipy.stats import norm


def lower_bound(successes: int, n: int, alpha: float) -> float:
    """Lower confidence bound of a proportion, of one-sided level ``alpha``; 0 without data."""
    return _bound(successes, n, -float(norm.isf(alpha))) if n else 0.0


def upper_bound(successes: int, n: int, alpha: float) -> float:
    """Upper confidence bound of a proportion, of one-sided level ``alpha``; 1 without data."""
    return _bound(successes, n, float(norm.isf(alpha))) if n else 1.0


def p_greater(successes: int, n: int, null: float) -> float:
    """One-sided p-value of "the proportion is at most ``null``", by the score test that Wilson's
    interval inverts."""
    return float(norm.sf(_score(successes, n, null)))


def p_less(successes: int, n: int, null: float) -> float:
    """One-sided p-value of "the proportion is at least ``null``"."""
    return float(norm.cdf(_score(successes, n, null)))


def _score(successes: int, n: int, null: float) -> float:
    distance = successes - n * null
    variance = n * null * (1 - null)
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def _bound(successes: int, n: int, z: float) -> float:
    share = successes / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return min(1.0, max(0.0, (centre + spread) / (1 + z * z / n)))
