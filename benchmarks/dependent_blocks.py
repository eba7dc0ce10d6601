"""How often a shadow test passes wrongly when its blocks depend on each other: simulated truth.

Days follow an AR(1) process whose mean is exactly the threshold, so that every PASS is wrong. Each
run is looked at after every day from day 14 to day 60, as a test of live traffic is. Beside it, on
the same data, the same sequence without the check of dependence. Then the days until a PASS on
independent days with a true improvement of 0.65 standard deviations.

Exit code 1 when the gate passes wrongly in more than alpha (5 %) of runs plus two standard errors
of the simulation, or when the check makes the median time to PASS on independent days longer by a
fifth.
"""

from __future__ import annotations

import argparse
import math
import sys
import time

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.signal import lfilter

from model_lifecycle.gates.checks.dependence import DOUBTFUL, assumed_autocorrelation
from model_lifecycle.gates.statistics.asymptotic import one_sided_half_width, rho
from model_lifecycle.gates.statistics.autocorrelation import (
    independence_p,
    lag_one_autocorrelation,
    long_run_variance,
)

Floats = NDArray[np.float64]

ALPHA, EXPECTED, FIRST, DAYS = 0.05, 60, 14, 60
ALLOWED, ALLOWED_DELAY = ALPHA, 1.2
#: Autocorrelations of days, and the improvement of the independent ones in standard deviations.
AUTOCORRELATIONS, IMPROVEMENT = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95), 0.65


def draw(rng: np.random.Generator, phi: float, runs: int, mean: float) -> Floats:
    """Days of AR(1) processes with a standard deviation of 1, shape ``(runs, DAYS)``."""
    noise = rng.normal(0, math.sqrt(1 - phi**2), (runs, DAYS))
    noise[:, 0] /= math.sqrt(1 - phi**2)
    days: Floats = lfilter([1.0], [1.0, -phi], noise, axis=1)
    return days + mean


def days_to_pass(days: Floats) -> tuple[float, float]:
    """After how many days the run passes without and with the check; infinite for never."""
    tuned = rho(2 * ALPHA, EXPECTED)
    unchecked = math.inf
    for n in range(FIRST, days.size + 1):
        mean = float(days[:n].mean())
        residuals = days[:n] - mean
        deviation = math.sqrt(float(residuals @ residuals) / (n - 1))
        if mean > one_sided_half_width(n, deviation, ALPHA, tuned):
            unchecked = min(unchecked, n)
        if unchecked <= n and mean > 0 and _holds(residuals, mean, tuned):
            return unchecked, n
    return unchecked, math.inf


def _holds(residuals: Floats, mean: float, tuned: float) -> bool:
    """Whether the check of dependence lets a PASS stand."""
    autocorrelation = lag_one_autocorrelation(residuals)
    if independence_p(autocorrelation, residuals.size) >= DOUBTFUL:
        return True
    assumed = assumed_autocorrelation(autocorrelation, residuals.size)
    deviation = math.sqrt(long_run_variance(residuals, assumed))
    return mean > one_sided_half_width(residuals.size, deviation, ALPHA, tuned)


def measure(phi: float, runs: int, mean: float, seed: int) -> Floats:
    """Days to PASS of all runs without and with the check, shape ``(runs, 2)``."""
    days = draw(np.random.default_rng(seed), phi, runs, mean)
    return np.array([days_to_pass(run) for run in days])


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--runs", type=int, default=1000)
    runs = arguments.parse_args().runs
    console, begun = Console(width=100), time.perf_counter()
    table = Table(title=f"{runs} runs, a look each day from {FIRST} to {DAYS}; wrong PASS")
    for name in ("autocorrelation of days", "without the check", "with the check", ""):
        table.add_column(name, justify="right")
    limit = ALLOWED + 2 * math.sqrt(ALLOWED * (1 - ALLOWED) / runs)
    good = True
    for index, phi in enumerate(AUTOCORRELATIONS):
        unchecked, checked = np.isfinite(measure(phi, runs, 0.0, 20240301 + index)).mean(axis=0)
        met = checked <= limit
        good &= bool(met)
        table.add_row(f"{phi:g}", f"{unchecked:.1%}", f"{checked:.1%}", "ok" if met else "TOO MANY")
    console.print(table)
    before, after = np.median(measure(0.0, runs, IMPROVEMENT, 20240401), axis=0)
    met = after <= ALLOWED_DELAY * before
    good &= bool(met)
    console.print(
        f"median days to PASS on independent days: {before:.0f} without, {after:.0f} with the "
        f"check ({'ok' if met else 'TOO LATE'}); {time.perf_counter() - begun:.0f} s"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
