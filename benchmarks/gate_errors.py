"""How often the gates are wrong when they are looked at again and again: simulated truth.

In every setting the challenger is worse by exactly the margin, so that a PASS is wrong, and each
seeded run is looked at 200 times. Beside it, on the same data, the ordinary fixed-sample test
(one-sided z at 5 %) looked at as often: what happens to those who watch a dashboard. Then the
same with equal models: the requests until half of the runs have passed, against those that a
fixed-sample test of 90 % power would need (which may be looked at once, at its end).

Exit code 1 when an engine passes wrongly more often than alpha plus two standard errors of the
simulation.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.special import betaln
from scipy.stats import norm
from simulation.decisions import anywhere, passes, z_test_passes
from simulation.settings import (
    ALPHA,
    LOOKS,
    SETTINGS,
    Floats,
    Setting,
    Z,
)

from model_lifecycle.gates.statistics.asymptotic import one_sided_half_width, rho
from model_lifecycle.gates.statistics.bernoulli import log_supermartingale, rank_band
from model_lifecycle.gates.statistics.log_histogram import GROWTH, LogHistogram


@dataclass(frozen=True)
class Result:
    """Shares of runs; ``median`` in requests, None where less than half of the runs pass."""

    setting: str
    engine: str
    wrong: float
    level: float
    error: float
    peeked: float | None = None
    median: int | None = None
    fixed: int | None = None

    @property
    def met(self) -> bool:
        return self.wrong <= self.level + 2 * self.error


def measure(setting: Setting, runs: int, seed: int) -> Result:
    """One setting, in portions that fit in memory."""
    step = max(10, math.ceil(4 * setting.fixed / LOOKS))
    if setting.engine.startswith("sequence"):
        step = max(step, 50)
    wrong: list[bool] = []
    peeked: list[bool] = []
    first: list[float] = []
    rng = np.random.default_rng(seed)
    for some in _portions(runs, max(1, 4_000_000 // (LOOKS * step))):
        x = setting.draw(rng, (some, LOOKS, step), -setting.margin)
        wrong += anywhere(passes(setting, x))
        peeked += anywhere(z_test_passes(x, -setting.margin))
        if len(first) < runs // 4:
            equal = passes(setting, setting.draw(rng, (some, LOOKS, step), 0.0))
            at = np.where(equal.any(axis=1), (equal.argmax(axis=1) + 1) * step, np.inf)
            first += at.tolist()
    median = float(np.median(first))
    return Result(
        setting.name,
        setting.engine,
        float(np.mean(wrong)),
        ALPHA,
        _error(ALPHA, runs),
        float(np.mean(peeked)),
        int(median) if math.isfinite(median) else None,
        setting.fixed,
    )


def clusters(runs: int, seed: int) -> Result:
    """Users with some requests each, which are alike: the mean over requests, by its ratio's
    variance over users. 20 new users at each look."""
    rng = np.random.default_rng(seed)
    margin, new = 0.02, 20
    units = np.arange(1, LOOKS + 1) * new
    tuned = rho(2 * ALPHA, 1000)
    half = np.array([one_sided_half_width(float(k), 1.0, ALPHA, tuned) for k in units])

    def reject(mean: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Floats]:
        size = rng.geometric(0.2, (runs, LOOKS, new)).astype(float)
        own = rng.normal(mean, 0.15, size.shape)
        x = size * own + rng.normal(0, 0.2, size.shape) * np.sqrt(size)
        n, xx, xn, nn, total = (
            part.sum(axis=2).cumsum(axis=1) for part in (size, x * x, x * size, size * size, x)
        )
        ratio = total / n
        residual = (xx - 2 * ratio * xn + ratio**2 * nn) / (units - 1) / (n / units) ** 2
        z = Z * np.sqrt((0.15**2 + 0.2**2) / n)
        ready = units >= 30
        passed = (ratio - half * np.sqrt(residual) > -margin) & ready
        return passed, (ratio - z > -margin) & ready, n

    wrong, peeked, _ = reject(-margin)
    equal, _, n = reject(0.0)
    median = float(
        np.median(np.where(equal.any(axis=1), n[np.arange(runs), equal.argmax(1)], np.inf))
    )
    return Result(
        "users with 5 requests each",
        "sequence, clusters",
        float(wrong.any(axis=1).mean()),
        ALPHA,
        _error(ALPHA, runs),
        float(peeked.any(axis=1).mean()),
        int(median) if math.isfinite(median) else None,
    )


def two_arms(runs: int, seed: int) -> Result:
    """An A/B test of a proportion of 10 %, worse by exactly the margin in the challenger's arm."""
    rng = np.random.default_rng(seed)
    rate, margin, new = 0.1, 0.02, 60
    each = np.arange(1, LOOKS + 1) * new
    tuned = rho(2 * ALPHA, 10_000)
    half = np.array([one_sided_half_width(2.0 * n, 1.0, ALPHA, tuned) for n in each])

    def reject(worse: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        first, second = (
            rng.binomial(new, p, (runs, LOOKS)).cumsum(axis=1) / each for p in (rate, rate - worse)
        )
        variances = first * (1 - first) + second * (1 - second)
        error = np.sqrt(variances / (each - 1))
        estimate, ready = second - first, each >= 1000
        passed = (estimate - half * error * np.sqrt(2 * each) > -margin) & ready
        return passed, (estimate - Z * error > -margin) & (each >= 100)

    wrong, peeked = reject(margin)
    equal, _ = reject(0.0)
    median = float(np.median(np.where(equal.any(axis=1), 2 * each[equal.argmax(1)], np.inf)))
    spread = (Z + float(norm.isf(0.1))) ** 2 * 2 * rate * (1 - rate) / margin**2
    return Result(
        "proportion of 10 % in two arms",
        "sequence, A/B",
        float(wrong.any(axis=1).mean()),
        ALPHA,
        _error(ALPHA, runs),
        float(peeked.any(axis=1).mean()),
        int(median) if math.isfinite(median) else None,
        2 * math.ceil(spread),
    )


def error_rate(runs: int, seed: int) -> Result:
    """A rate of errors exactly at its limit of 1 %, by the Bernoulli sequence."""
    rng = np.random.default_rng(seed)
    limit, n = 0.01, np.arange(1, LOOKS + 1) * 100
    counts = rng.binomial(100, limit, (runs, LOOKS)).cumsum(axis=1)
    # Over for fewer errors than a certain number; the least of them at each look.
    line = np.array([_fewest(limit, int(i)) for i in n])
    share = counts / n
    z = share + Z * np.sqrt(share * (1 - share) / n) < limit
    wrong = float((counts <= line).any(axis=1).mean())
    return Result(
        "error rate at its limit, 1 %",
        "Bernoulli sequence",
        wrong,
        ALPHA,
        _error(ALPHA, runs),
        float(z.any(axis=1).mean()),
    )


def _fewest(limit: float, n: int) -> int:
    """The most errors of ``n`` that show a rate below ``limit``; -1 where none do."""
    most = -1
    for errors in range(int(n * limit) + 1):
        if log_supermartingale(errors - n * limit, n, limit, 5000) < math.log(1 / ALPHA):
            break
        most = errors
    return most


def latency(runs: int, seed: int) -> Result:
    """A 95th percentile exactly at 1.1 times the champion's, by bands of two histograms."""
    rng = np.random.default_rng(seed)
    step, quantile = 100, 0.95
    bands = [rank_band(quantile, step * (i + 1), ALPHA / 2, 5000) for i in range(LOOKS)]
    wrong = peeked = 0
    for _ in range(runs):
        ends = []
        for factor in (1.0, 1.1):
            x = factor * rng.lognormal(2, 0.5, (LOOKS, step))
            ends.append(_quantile_ends(x, quantile, bands))
        (low, champion), (_, _) = (ends[0][:2], ends[1][:2])
        high, challenger = ends[1][2], ends[1][1]
        wrong += bool((high <= 1.1 * low).any())
        peeked += bool((challenger[4:] <= 1.1 * champion[4:]).any())
    return Result(
        "95th percentile at 1.1 of champion's",
        "latency buckets",
        wrong / runs,
        ALPHA,
        _error(ALPHA, runs),
        peeked / runs,
    )


def _quantile_ends(
    x: Floats, quantile: float, bands: list[tuple[float, float]]
) -> tuple[Floats, Floats, Floats]:
    """Lower end, estimate and upper end at each look."""
    histograms = [LogHistogram.of(part).counts for part in x]
    least, most = min(min(c) for c in histograms), max(max(c) for c in histograms)
    counts = np.zeros((len(histograms), most - least + 1), dtype=np.int64)
    for row, each in enumerate(histograms):
        counts[row, [bucket - least for bucket in each]] = list(each.values())
    ranks = counts.cumsum(axis=0).cumsum(axis=1)
    n = ranks[:, -1]

    def value(rank: NDArray[np.int64], none: float) -> Floats:
        bucket = (ranks >= rank[:, None]).argmax(axis=1) + least
        return np.where((rank < 1) | (rank > n), none, GROWTH ** bucket.astype(float))

    low = np.floor(np.array([b[0] for b in bands]) * n).astype(np.int64)
    high = np.floor(np.array([b[1] for b in bands]) * n).astype(np.int64) + 1
    middle = np.ceil(quantile * n).astype(np.int64)
    return value(low, 0.0) / GROWTH, value(middle, math.nan), value(high, math.inf)


def sample_ratio(runs: int, seed: int) -> Result:
    """A sound experiment: how often its split raises an alarm."""
    rng = np.random.default_rng(seed)
    level, n = 0.01, np.arange(1, LOOKS + 1) * 50
    counts = rng.binomial(50, 0.5, (runs, LOOKS)).cumsum(axis=1)
    logs = betaln(100 + counts, 100 + n - counts) - betaln(100, 100) - n * math.log(0.5)
    z = np.abs(counts - n / 2) > float(norm.isf(level / 2)) * np.sqrt(n) / 2
    return Result(
        "sound split of an A/B test, alarm at 1 %",
        "Dirichlet mixture",
        float((logs.max(axis=1) >= -math.log(level)).mean()),
        level,
        _error(level, runs),
        float(z.any(axis=1).mean()),
    )


def results(runs: int, seed: int = 20240301) -> Iterator[Result]:
    """All settings, each with random numbers of its own."""
    for index, setting in enumerate(SETTINGS):
        yield measure(setting, runs, seed + index)
    for index, simulated in enumerate((clusters, two_arms, error_rate, latency, sample_ratio)):
        yield simulated(runs, seed + 100 + index)


def _portions(runs: int, most: int) -> Iterator[int]:
    while runs > 0:
        yield min(runs, most)
        runs -= most


def _error(level: float, runs: int) -> float:
    return math.sqrt(level * (1 - level) / runs)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--runs", type=int, default=1000)
    runs = arguments.parse_args().runs
    console, begun = Console(width=126), time.perf_counter()
    table = Table(title=f"{runs} runs with {LOOKS} looks each; {ALPHA:.0%} wrong PASS allowed")
    for name in ("setting", "engine", "wrong PASS", "", "z test, peeked"):
        table.add_column(name, justify="left" if name in ("setting", "engine") else "right")
    table.add_column("median n to PASS", justify="right")
    table.add_column("z test, 90 % power", justify="right")
    good = True
    for result in results(runs):
        good &= result.met
        table.add_row(
            result.setting,
            result.engine,
            f"{result.wrong:.1%}",
            "ok" if result.met else "TOO MANY",
            "" if result.peeked is None else f"{result.peeked:.1%}",
            "" if result.median is None else f"{result.median:,}",
            "" if result.fixed is None else f"{result.fixed:,}",
        )
    console.print(table)
    console.print(f"{time.perf_counter() - begun:.0f} s")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
