"""The difference of two arms' outcomes, in bounds that stay valid however often one looks.

Per-arm sums in, asymptotic confidence sequence out (see :mod:`.asymptotic`): the difference of the
means has variance ``s0**2 / n0 + s1**2 / n1``, looked at as ``n0 + n1`` units. A ratio of two sums
has the variance of its delta method: Deng, Knoblich, Lu, "Applying the delta method in metric
analytics", KDD 2018, arXiv 1803.06336.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from .asymptotic import one_sided_half_width, one_sided_log_e, one_sided_p, rho


@dataclass(frozen=True)
class Arm:
    """``n`` units: their mean outcome and the variance of one unit's."""

    n: int
    mean: float
    variance: float


def mean_arm(n: int, total: Fraction, squares: Fraction) -> Arm:
    """The arm of a mean or proportion, from its sums."""
    if n < 2:
        return Arm(n, float(total / n) if n else math.nan, math.inf)
    return Arm(n, float(total / n), float(max(squares - total * total / n, Fraction(0)) / (n - 1)))


def ratio_arm(
    n: int, top: Fraction, below: Fraction, squares: tuple[Fraction, Fraction], product: Fraction
) -> Arm:
    """The arm of ``top / below``, from sums, sums of squares and the sum of products per unit."""
    if n < 2 or below == 0:
        return Arm(n, math.nan, math.inf)
    ratio = top / below
    spread = squares[0] - 2 * ratio * product + ratio * ratio * squares[1]
    scale = below / n
    return Arm(n, float(ratio), float(max(spread, Fraction(0)) / (n - 1) / (scale * scale)))


@dataclass(frozen=True)
class Difference:
    """Second arm minus first, with one-sided bounds and anytime p-values."""

    estimate: float
    standard_error: float
    lower: float
    upper: float
    p_greater: float
    p_less: float
    log_e_greater: float = 0.0
    log_e_less: float = 0.0


def difference(
    first: Arm, second: Arm, threshold: float, *, alpha: float, alpha_less: float, expected: float
) -> Difference:
    """``p_greater`` is against "the difference is at most ``threshold``" (level ``alpha`` and the
    lower bound), ``p_less`` against "at least" (``alpha_less`` and the upper bound); ``log_e`` are
    natural logarithms of the e-values."""
    estimate = second.mean - first.mean
    if not (math.isfinite(estimate) and math.isfinite(first.variance + second.variance)):
        return Difference(estimate, math.inf, -math.inf, math.inf, 1.0, 1.0)
    error = math.sqrt(first.variance / first.n + second.variance / second.n)
    n = first.n + second.n
    spread = error * math.sqrt(n)
    up, down = rho(2 * alpha, expected), rho(2 * alpha_less, expected)
    return Difference(
        estimate,
        error,
        estimate - one_sided_half_width(n, spread, alpha, up),
        estimate + one_sided_half_width(n, spread, alpha_less, down),
        one_sided_p(n, estimate, spread, threshold, up),
        one_sided_p(n, -estimate, spread, -threshold, down),
        one_sided_log_e(n, estimate, spread, threshold, up),
        one_sided_log_e(n, -estimate, spread, -threshold, down),
    )
