"""Verdicts of the gates' engines at every look, for all runs at once, and of a plain z-test."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from simulation.settings import ALPHA, FIRST_BLOCKS, Floats, Setting, Z

from model_lifecycle.gates.statistics.asymptotic import one_sided_half_width, rho
from model_lifecycle.gates.statistics.betting import bets
from model_lifecycle.gates.statistics.grid import ONE, STEPS, Grid
from model_lifecycle.gates.statistics.rare_variance import ENOUGH_DIFFERING, least_variance


def passes(setting: Setting, x: Floats) -> NDArray[np.bool_]:
    """Whether each look shows PASS, shape ``(runs, looks)``."""
    if setting.engine.startswith("betting"):
        return _betting(x, -setting.margin)
    return _sequence(x, -setting.margin, setting.span)


def _betting(x: Floats, null: float) -> NDArray[np.bool_]:
    grid = bets(null, -1.0)
    points = 2 * np.arange(STEPS + 1) / STEPS - 1
    gains = np.log1p(np.outer(points - null, grid))
    runs, looks, _ = x.shape
    rejected = np.zeros((runs, looks), dtype=bool)
    for run in range(runs):
        weights = np.zeros((looks, STEPS + 1))
        for look in range(looks):
            grid_weights = Grid.of(x[run, look], 1.0).weights
            weights[look, list(grid_weights)] = list(grid_weights.values())
        wealth = np.cumsum(weights / ONE @ gains, axis=0)
        rejected[run] = np.exp(np.minimum(wealth, 700)).mean(axis=1) >= 1 / ALPHA
    return rejected


def _sequence(x: Floats, null: float, span: float | None = None) -> NDArray[np.bool_]:
    """The engine of blocks, for all runs at once: with its floor under the variance while few
    requests differ."""
    means = x.mean(axis=2)
    n = np.arange(1, means.shape[1] + 1)
    mean = means.cumsum(axis=1) / n
    square = (means**2).cumsum(axis=1)
    variance = np.maximum(square - n * mean**2, 0) / np.maximum(n - 1, 1)
    differing = np.count_nonzero(x, axis=2).cumsum(axis=1)
    least = least_variance(null, span, 0)
    floor = np.where(differing < ENOUGH_DIFFERING, math.inf if least is None else least, 0.0)
    deviation = np.sqrt(np.maximum(variance, floor / x.shape[2]))
    tuned = rho(2 * ALPHA, 100)
    half = np.array([one_sided_half_width(float(i), 1.0, ALPHA, tuned) for i in n])
    rejected: NDArray[np.bool_] = (mean - half * deviation > null) & (n >= FIRST_BLOCKS)
    return rejected


def anywhere(looks: NDArray[np.bool_]) -> list[bool]:
    """Whether any look of each run shows PASS."""
    return [bool(run.any()) for run in looks]


def z_test_passes(x: Floats, null: float) -> NDArray[np.bool_]:
    """The z-test on single requests, as if each look were the only one."""
    n = np.arange(1, x.shape[1] + 1) * x.shape[2]
    mean = x.sum(axis=2).cumsum(axis=1) / n
    square = (x**2).sum(axis=2).cumsum(axis=1)
    error = np.sqrt(np.maximum(square / n - mean**2, 0) / n)
    rejected: NDArray[np.bool_] = (mean - Z * error > null) & (n >= 100)
    return rejected
