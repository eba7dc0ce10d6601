"""Betting on a bounded mean: an exact test that may be looked at after every observation.

Waudby-Smith, Ramdas, "Estimating means of bounded random variables by betting", JRSSB 86 (2024) 1,
arXiv 2010.09686: the wealth of constant bets, averaged over a grid of bets (``dKelly`` there, with
evenly spaced bets; here geometric). Under "the mean is at most m" the average is a nonnegative
supermartingale, so that it ever reaches 1/alpha has probability alpha at most (Ville), whatever
the sample size. It takes independent units. Constant bets make the logarithm of each bet's wealth
a sum over observations, which bets that learn would not be.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

Floats = NDArray[np.float64]

BETS = 40
_BOLDEST, _TIMIDEST = 0.95, 1e-3


def bets(null: float, lowest: float) -> Floats:
    """The grid of bets against "the mean is at most ``null``", values being at least ``lowest``.
    No bet can lose everything."""
    if not null > lowest:
        raise ValueError(f"the null {null} has to lie above the lowest value {lowest}")
    fractions: Floats = _BOLDEST / (null - lowest) * np.geomspace(_TIMIDEST, 1, BETS)
    return fractions


def log_wealth(values: ArrayLike, weights: ArrayLike, null: float, lowest: float) -> Floats:
    """Each bet's log wealth, shape ``(bets,)``, after ``weights[i]`` observations of
    ``values[i]``: a sum, so that parts add."""
    x = np.asarray(values, dtype=float)
    if x.size and float(x.min()) < lowest - 1e-12 * max(1.0, abs(lowest)):
        raise ValueError(f"a value of {x.min()} lies below the lowest, {lowest}")
    gains = np.log1p(np.outer(bets(null, lowest), x - null))
    wealth: Floats = gains @ np.asarray(weights, dtype=float)
    return wealth


def log_e(wealth: ArrayLike) -> float:
    """The e-value's logarithm: that of the average wealth."""
    each = np.asarray(wealth, dtype=float)
    return float(logsumexp(each) - math.log(each.size))


def log_e_mean(values: ArrayLike, null: float, lowest: float) -> float:
    """Log e-value against "the mean is at most ``null``", of ``values`` in any order."""
    x = np.asarray(values, dtype=float)
    return log_e(log_wealth(x, np.ones(x.size), null, lowest))


def log_e_pair(better: int, worse: int, n: int, margin: float) -> tuple[float, float]:
    """Log e-values for PASS and FAIL of ``n`` pairs, of which ``better`` were won and ``worse``
    lost: against "challenger minus champion is at most -margin", and "at least -margin"."""
    same = n - better - worse
    weights = (better, worse, same)
    return (
        log_e(log_wealth((1.0, -1.0, 0.0), weights, -margin, -1.0)),
        log_e(log_wealth((-1.0, 1.0, 0.0), weights, margin, -1.0)),
    )
