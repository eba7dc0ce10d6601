"""Asymptotic confidence sequences: intervals for a mean that stay valid however often one looks.

Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory and asymptotic
confidence sequences", Annals of Statistics 52 (2024) 2613, arXiv 2103.06476 (version 7: two-sided
equation 9, one-sided 134, p-value 155, choice of rho 161). All depend on (n, mean, deviation)
only. In traffic the unit has to be a block of time, at least 30 of them.
"""

from __future__ import annotations

import math

from scipy.special import log_ndtr


def rho(alpha: float, expected: float) -> float:
    """The parameter that makes a two-sided sequence tightest at ``expected`` units.

    For a one-sided sequence of level alpha, give ``2 * alpha``.
    """
    log = -2 * math.log(alpha)
    return math.sqrt((log + math.log(log + 1)) / expected)


def two_sided_half_width(n: float, deviation: float, alpha: float, rho: float) -> float:
    """Half the width of the sequence ``mean ± half width`` after ``n`` units."""
    spread = n * rho**2 + 1
    return deviation * math.sqrt(2 * spread / (n * rho) ** 2 * math.log(math.sqrt(spread) / alpha))


def one_sided_half_width(n: float, deviation: float, alpha: float, rho: float) -> float:
    """How far below the mean the lower bound of level ``alpha`` lies after ``n`` units."""
    spread = n * rho**2 + 1
    return deviation * math.sqrt(
        2 * spread / (n * rho) ** 2 * math.log1p(math.sqrt(spread) / (2 * alpha))
    )


def one_sided_p(n: float, mean: float, deviation: float, null: float, rho: float) -> float:
    """Anytime-valid p-value of "the mean is at most ``null``": the smallest level at which the
    lower bound lies above it. Inverts :func:`one_sided_half_width`."""
    if not mean > null:
        return 1.0
    if deviation == 0:
        return 0.0
    spread = n * rho**2 + 1
    exponent = ((mean - null) / deviation * n * rho) ** 2 / (2 * spread)
    if exponent > 700:
        return 0.0
    least, most = math.sqrt(spread), 2 * math.expm1(exponent)
    return least / most if most > least else 1.0


def one_sided_log_e(n: float, mean: float, deviation: float, null: float, rho: float) -> float:
    """Natural logarithm of the e-value against "the mean is at most ``null``": the mixture of the
    likelihood ratio over a half-normal effect, whose bound :func:`one_sided_half_width` inverts
    from above. Below 0 while the data speak for the null."""
    spread = n * rho**2 + 1
    if deviation == 0:
        return math.inf if mean > null else -0.5 * math.log(spread) if mean == null else -math.inf
    x = (mean - null) / deviation * n * rho / math.sqrt(spread)
    return math.log(2) - 0.5 * math.log(spread) + x * x / 2 + float(log_ndtr(x))


def two_sided_p(n: float, mean: float, deviation: float, null: float, rho: float) -> float:
    """Anytime-valid p-value of "the mean is ``null``" (equation 155)."""
    if deviation == 0:
        return 1.0 if mean == null else 0.0
    spread = n * rho**2 + 1
    exponent = ((mean - null) / deviation * n * rho) ** 2 / (2 * spread)
    return min(1.0, math.sqrt(spread) * math.exp(-exponent))


def units_needed(
    distance: float, deviation: float, alpha: float, rho: float, *, most: int = 1_000_000
) -> int | None:
    """Units after which the one-sided half width falls below ``distance``, everything else
    staying as it is; None beyond ``most`` or when ``distance`` is not above 0."""
    if not distance > 0 or one_sided_half_width(most, deviation, alpha, rho) >= distance:
        return None
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        if one_sided_half_width(middle, deviation, alpha, rho) < distance:
            high = middle
        else:
            low = middle + 1
    return low
