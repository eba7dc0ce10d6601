"""A small run of ``benchmarks/gate_errors.py``: enough to see that it measures what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import gate_errors
import numpy as np
import pytest
from numpy.typing import NDArray
from simulation.decisions import passes
from simulation.settings import FIRST_BLOCKS, SETTINGS
from support.present import present
from support.shadow_policies import hourly

from model_lifecycle.gates.aggregates.block import BlockSummary
from model_lifecycle.gates.inference import estimators
from model_lifecycle.gates.metrics.definitions import METRICS
from model_lifecycle.gates.policy.hypotheses import Hypothesis
from model_lifecycle.gates.policy.promotion import Comparison


@pytest.mark.parametrize(
    ("name", "engine"),
    [("3 % disagree", "betting, requests"), ("design effect 3", "sequence, blocks")],
)
def test_engines_keep_their_rate_and_peeking_does_not(name: str, engine: str) -> None:
    """Looked at 200 times, an engine passes wrongly in 5 % of runs at most, a fixed-sample test in
    a quarter or more."""
    (setting,) = [s for s in SETTINGS if (s.name, s.engine) == (name, engine)]

    result = gate_errors.measure(setting, runs=60, seed=1)

    assert result.met
    assert present(result.peeked) > 0.25
    assert result.median is not None


@pytest.mark.parametrize(
    ("name", "engine", "unit"),
    [
        ("1 % disagree", "sequence, blocks", "block"),
        ("skewed unbounded loss", "sequence, blocks", "block"),
        ("3 % disagree", "betting, requests", "request"),
    ],
)
def test_it_simulates_what_the_gate_does(name: str, engine: str, unit: str) -> None:
    """All runs at once come out, look by look, as the gate's own engine says."""
    (setting,) = [s for s in SETTINGS if (s.name, s.engine) == (name, engine)]
    rng = np.random.default_rng(3)
    x = setting.draw(rng, (3, 60, 60), 0.0)
    span = 1.0 if "disagree" in name else None
    metric = replace(METRICS["brier"], span=span)
    hypothesis = Hypothesis("c", "comparison", metric, -setting.margin, setting.margin)
    policy = hourly(comparisons=(Comparison("brier", setting.margin),), unit=unit)

    def gate_passes(run: NDArray[np.float64]) -> list[bool]:
        judge, verdicts = estimators.engine(policy, hypothesis, 0.05), []
        for number, block in enumerate(run, 1):
            judge.add(BlockSummary.of(block, None, block, span=span if unit == "request" else None))
            enough = unit == "request" or number >= FIRST_BLOCKS
            verdicts.append(judge.bounds().lower > -setting.margin and enough)
        return verdicts

    expected = [gate_passes(run) for run in x]
    simulated = passes(setting, x)

    assert simulated.any()
    assert simulated.tolist() == expected


@pytest.mark.parametrize("simulate", [gate_errors.clusters, gate_errors.two_arms])
def test_clusters_and_arms_keep_their_rate(
    simulate: Callable[[int, int], gate_errors.Result],
) -> None:
    """Users and arms, looked at 200 times: wrong in 5 % of runs at most, and a z test far more."""
    result = simulate(200, 5)

    assert result.met
    assert present(result.peeked) > 0.2
    assert result.median is not None


def test_too_many_is_told() -> None:
    """A rate beyond the level and the simulation's own error does not hold."""
    assert not gate_errors.Result("s", "e", 0.07, 0.05, 0.007).met
    assert gate_errors.Result("s", "e", 0.06, 0.05, 0.007).met
