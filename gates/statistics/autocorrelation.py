"""Dependence between consecutive blocks: lag-one autocorrelation, long-run variance.

A sequential test on block estimates needs blocks that are independent of each other. The estimates
are those of an AR(1) process (Andrews and Monahan, "An improved heteroskedasticity and
autocorrelation consistent covariance matrix estimator", Econometrica 60 (1992) 953), with the bias
correction of Kendall and of Marriott and Pope (Biometrika 41 (1954) 390 and 403).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm
from scipy.stats import t as student

#: Beyond this the long-run variance has no useful estimate.
MAX_AUTOCORRELATION = 0.98


def lag_one_autocorrelation(residuals: ArrayLike) -> float:
    """The bias-corrected autocorrelation of ``residuals``, shape ``(n,)`` in the order of time with
    a mean of 0: between 0, for none or a negative one, and MAX_AUTOCORRELATION. NaN for fewer than
    three residuals, and for residuals that do not vary."""
    x = np.asarray(residuals, dtype=float)
    power = float(x @ x)
    if x.size < 3 or not power > 0:
        return math.nan
    raw = float(x[1:] @ x[:-1]) / power
    return min(max(raw + (1 + 4 * raw) / x.size, 0.0), MAX_AUTOCORRELATION)


def independence_p(autocorrelation: float, n: int) -> float:
    """One-sided p-value of independence against positive autocorrelation of ``n`` residuals, whose
    estimate has a standard error of about ``1 / sqrt(n)``."""
    return float(norm.sf(autocorrelation * math.sqrt(n)))


def largest_autocorrelation(autocorrelation: float, n: int) -> float:
    """Upper end of the 95 % interval of an estimate from ``n`` residuals, at most
    MAX_AUTOCORRELATION."""
    error = math.sqrt((1 - autocorrelation**2) / n)
    return min(autocorrelation + float(norm.isf(0.025)) * error, MAX_AUTOCORRELATION)


def long_run_variance(residuals: ArrayLike, autocorrelation: float) -> float:
    """The long-run variance of ``residuals``: that of a prewhitened AR(1) process, at least the
    sample variance, times the squared ratio of the t quantile with ``n - 2`` degrees of freedom to
    the normal one, since the variance itself is an estimate."""
    x = np.asarray(residuals, dtype=float)
    innovations = x[1:] - autocorrelation * x[:-1]
    prewhitened = float(innovations @ innovations) / (x.size - 2) / (1 - autocorrelation) ** 2
    sample = float(x @ x) / (x.size - 1)
    small_sample = float(student.isf(0.025, x.size - 2) / norm.isf(0.025))
    return max(prewhitened, sample) * small_sample**2
