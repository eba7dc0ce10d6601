"""Non-inferiority of paired binary outcomes: Tango's score test and interval.

Tango, "Equivalence test and confidence interval for the difference in proportions for the
paired-sample design", Statistics in Medicine 17 (1998) 891. At a margin of 0 it is McNemar's test.
"""

from __future__ import annotations

import math

from scipy.optimize import brentq
from scipy.stats import norm


def discordance_under_null(better: int, worse: int, n: int, difference: float) -> float:
    """The likeliest probability of "worse" when p_better - p_worse is ``difference``."""
    a = 2 * n
    b = -better - worse + (2 * n - better + worse) * difference
    c = -worse * difference * (1 - difference)
    return (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)


def null_variance(better: int, worse: int, n: int, difference: float) -> float:
    """Variance of one pair's difference (in -1, 0, 1) under that null hypothesis. Unlike the
    sample variance it is not 0 while no pair has disagreed yet."""
    q = discordance_under_null(better, worse, n, difference)
    return max(2 * q + difference * (1 - difference), 0.0)


def score(better: int, worse: int, n: int, difference: float) -> float:
    """Tango's Z of "p_better - p_worse = ``difference``"; 0 where no pair differs."""
    distance = better - worse - n * difference
    variance = n * null_variance(better, worse, n, difference)
    if variance <= 0:
        return math.copysign(math.inf, distance) if abs(distance) > 1e-9 else 0.0
    return distance / math.sqrt(variance)


def p_greater(better: int, worse: int, n: int, difference: float) -> float:
    """One-sided p-value of "p_better - p_worse is at most ``difference``"."""
    return float(norm.sf(score(better, worse, n, difference)))


def p_less(better: int, worse: int, n: int, difference: float) -> float:
    """One-sided p-value of "p_better - p_worse is at least ``difference``"."""
    return float(norm.cdf(score(better, worse, n, difference)))


def lower_bound(better: int, worse: int, n: int, alpha: float) -> float:
    """Lower confidence bound of p_better - p_worse, of one-sided level ``alpha``."""
    return _solve(better, worse, n, float(norm.isf(alpha)), -1.0)


def upper_bound(better: int, worse: int, n: int, alpha: float) -> float:
    """Upper confidence bound of p_better - p_worse, of one-sided level ``alpha``."""
    return _solve(better, worse, n, -float(norm.isf(alpha)), 1.0)


def _solve(better: int, worse: int, n: int, z: float, end: float) -> float:
    """Where the score, which falls as the difference grows, equals ``z``; ``end`` if nowhere."""
    estimate = (better - worse) / n
    edge = end * (1 - 1e-12)
    if abs(estimate) >= 1 and estimate * end > 0:
        return end

    def beyond(difference: float) -> float:
        return max(-1e300, min(1e300, score(better, worse, n, difference))) - z

    if beyond(edge) * beyond(estimate) > 0:
        return end
    return float(brentq(beyond, min(edge, estimate), max(edge, estimate), xtol=1e-10))
