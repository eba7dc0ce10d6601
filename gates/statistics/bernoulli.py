"""A share of successes, in an interval that stays valid however often one looks.

Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
sequences", Annals of Statistics 49 (2021) 1055: the two-sided beta-binomial mixture. Checked
against the tests of the authors' package confseq.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import brentq
from scipy.special import betaln

#: The level for which the mixture is tuned; it stays valid at any.
_TUNED = 0.05
_EDGE = 1e-10


def log_supermartingale(s: float, n: float, p: float, expected: float) -> float:
    """Log of the mixture after ``n`` trials with ``s`` successes more than ``n * p``, tuned to be
    sharpest at ``expected`` trials. Below log(1/alpha) for ever, with probability 1 - alpha."""
    g, h = p, 1 - p
    v, v_tuned = g * h * n, g * h * expected
    log = math.log(1 / _TUNED)
    r = max(v_tuned / (2 * log + math.log1p(2 * log)) - g * h, 1e-3 * g * h)
    # g + h is 1.
    return float(
        -(v + h * s) / h * math.log(g)
        - (v - g * s) / g * math.log(h)
        + betaln((r + v - g * s) / g, (r + v + h * s) / h)
        - betaln(r / g, r / h)
    )


def interval(successes: int, n: int, alpha: float, expected: float) -> tuple[float, float]:
    """Both ends for the share of successes; [0, 1] without trials."""
    if n == 0:
        return 0.0, 1.0
    share, line = successes / n, math.log(1 / alpha)

    def over(p: float) -> float:
        return log_supermartingale((share - p) * n, n, p, expected) - line

    return _end(over, _EDGE, share, 0.0), _end(over, 1 - _EDGE, share, 1.0)


def rank_band(p: float, n: int, alpha: float, expected: float) -> tuple[float, float]:
    """Between which shares of the sample the ``p``-quantile lies after ``n`` values, at every
    ``n`` together. Howard, Ramdas, "Sequential estimation of quantiles with applications to A/B
    testing and best-arm identification", Bernoulli 28 (2022) 1704."""
    if n == 0:
        return 0.0, 1.0
    line = math.log(1 / alpha)

    def over(share: float) -> float:
        return log_supermartingale((share - p) * n, n, p, expected) - line

    return _end(over, _EDGE, p, 0.0), _end(over, 1 - _EDGE, p, 1.0)


def _end(over: Callable[[float], float], edge: float, inside: float, otherwise: float) -> float:
    """Where ``over`` becomes 0 between ``inside`` and ``edge``; ``otherwise`` if nowhere."""
    inside = min(max(inside, _EDGE), 1 - _EDGE)
    if inside == edge or over(edge) <= 0 or over(inside) >= 0:
        return otherwise
    return float(brentq(over, min(edge, inside), max(edge, inside), xtol=1e-12))
