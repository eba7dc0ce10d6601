"""Traffic with a known truth: differences of two models by request, drawn with a given mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int, int], float], Floats]

ALPHA, LOOKS, FIRST_BLOCKS = 0.05, 200, 30
Z = float(norm.isf(ALPHA))


@dataclass(frozen=True)
class Setting:
    """``draw`` gives x, shape ``(runs, looks, step)``, with a mean given; ``spread`` is its
    deviation times the root of the design effect, ``span`` its largest size."""

    name: str
    engine: str
    margin: float
    draw: Draw
    spread: float
    span: float | None = None

    @property
    def fixed(self) -> int:
        """Requests of a fixed-sample test with 90 % power when the models are equal."""
        return math.ceil(((Z + float(norm.isf(0.1))) * self.spread / self.margin) ** 2)


def disagreements(rate: float) -> Draw:
    """Models that disagree on ``rate`` of all requests: x in -1, 0, 1."""

    def draw(rng: np.random.Generator, shape: tuple[int, int, int], mean: float) -> Floats:
        u = rng.random(shape)
        better, worse = (rate + mean) / 2, (rate - mean) / 2
        return (u < better).astype(float) - (u > 1 - worse)

    return draw


def skewed(rng: np.random.Generator, shape: tuple[int, int, int], mean: float) -> Floats:
    """Differences of a bounded loss: mostly tiny, now and then large, to the worse."""
    part = rng.beta(0.3, 8.0, shape)
    return (0.3 / 8.3 - part) * 0.8 + mean


def heavy(rng: np.random.Generator, shape: tuple[int, int, int], mean: float) -> Floats:
    """Differences of an unbounded loss with a long tail to the worse."""
    return (math.exp(0.5) - rng.lognormal(0, 1, shape)) * 0.05 + mean


def depending(effect: float) -> Draw:
    """Traffic in which neighbours are alike: autoregressive, with this design effect."""
    phi = (effect - 1) / (effect + 1)

    def draw(rng: np.random.Generator, shape: tuple[int, int, int], mean: float) -> Floats:
        from scipy.signal import lfilter

        noise = rng.normal(0, 0.1 * math.sqrt(1 - phi**2), (shape[0], shape[1] * shape[2]))
        noise[:, 0] /= math.sqrt(1 - phi**2)
        x: Floats = lfilter([1.0], [1.0, -phi], noise, axis=1)
        return (x + mean).reshape(shape)

    return draw


SETTINGS = (
    Setting("1 % disagree", "betting, requests", 0.005, disagreements(0.01), 0.1),
    Setting("3 % disagree", "betting, requests", 0.01, disagreements(0.03), math.sqrt(0.03)),
    Setting("10 % disagree", "betting, requests", 0.02, disagreements(0.1), math.sqrt(0.1)),
    Setting("skewed bounded loss", "betting, requests", 0.005, skewed, 0.8 * 0.0612),
    Setting("1 % disagree", "sequence, blocks", 0.005, disagreements(0.01), 0.1, 1.0),
    Setting("3 % disagree", "sequence, blocks", 0.01, disagreements(0.03), math.sqrt(0.03), 1.0),
    Setting("10 % disagree", "sequence, blocks", 0.02, disagreements(0.1), math.sqrt(0.1), 1.0),
    Setting("skewed unbounded loss", "sequence, blocks", 0.005, heavy, 0.05 * 2.161),
    Setting("design effect 1", "sequence, blocks", 0.01, depending(1), 0.1),
    Setting("design effect 3", "sequence, blocks", 0.01, depending(3), 0.1 * math.sqrt(3)),
    Setting("design effect 8", "sequence, blocks", 0.01, depending(8), 0.1 * math.sqrt(8)),
)
