"""McNemar's test of paired binary outcomes: is one model right where the other is wrong?

The mid-p version is nearly as powerful as the asymptotic one and hardly ever exceeds its level:
Fagerland, Lydersen, Laake, BMC Medical Research Methodology 13 (2013) 91.
"""

from __future__ import annotations

import math

from scipy.stats import binom, norm


def asymptotic_p(better: int, worse: int) -> float:
    """Two-sided p-value from the normal approximation, without continuity correction."""
    discordant = better + worse
    if discordant == 0:
        return 1.0
    return float(2 * norm.sf(abs(better - worse) / math.sqrt(discordant)))


def exact_p(better: int, worse: int) -> float:
    """Two-sided exact conditional p-value."""
    return min(1.0, 2 * float(binom.cdf(min(better, worse), better + worse, 0.5)))


def mid_p(better: int, worse: int) -> float:
    """Two-sided mid-p value: the exact one, counting the observed table half."""
    if better == worse:
        return 1.0 if better == 0 else 1.0 - float(binom.pmf(better, better + worse, 0.5))
    return exact_p(better, worse) - float(binom.pmf(min(better, worse), better + worse, 0.5))
