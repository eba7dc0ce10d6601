"""A PASS of a shadow test whose blocks depend on each other."""

import math
from datetime import date, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from support.shadow_policies import hourly

from model_lifecycle.gates.aggregates.block import BlockSummary
from model_lifecycle.gates.aggregates.replay import Key, ReplayAggregate
from model_lifecycle.gates.checks.dependence import NAME, dependence_checks
from model_lifecycle.gates.inference.sequential import judge_blocks
from model_lifecycle.gates.policy.hypotheses import policy_hypotheses
from model_lifecycle.gates.policy.promotion import Comparison, ShadowPolicy
from model_lifecycle.gates.report import Check
from model_lifecycle.registry.domain.evidence import Verdict

SIZE = 50


def _means(phi: float, blocks: int, seed: int, mean: float) -> NDArray[np.float64]:
    """Means of consecutive blocks as an AR(1) process with a standard deviation of 0.1."""
    noise = np.random.default_rng(seed).normal(size=blocks)
    values = noise.copy()
    for t in range(1, blocks):
        values[t] = phi * values[t - 1] + math.sqrt(1 - phi**2) * noise[t]
    return np.asarray(mean + 0.1 * (values - values.mean()))


def _policy() -> ShadowPolicy:
    return hourly(comparisons=(Comparison("brier", 0.0),), block="day", max_duration_days=60)


def _check(means: NDArray[np.float64], policy: ShadowPolicy) -> tuple[Verdict | None, list[Check]]:
    """The verdict of the only demand, and the check, of blocks with these mean improvements."""
    hypotheses = policy_hypotheses(policy.comparisons, (), (), champion=True)
    spread = np.linspace(-0.01, 0.01, SIZE)
    blocks: dict[str, dict[Key, BlockSummary]] = {
        f"{date(2024, 1, 1) + timedelta(day)}": {
            (hypotheses[0].key, None): BlockSummary.of(
                np.asarray(mean + spread), np.zeros(SIZE), np.asarray(-mean - spread)
            )
        }
        for day, mean in enumerate(means)
    }
    aggregate = ReplayAggregate(blocks=blocks)
    rows, _ = judge_blocks(policy, hypotheses, aggregate)
    return rows[0].verdict, dependence_checks(policy, hypotheses, aggregate, rows)


def test_dependent_blocks_do_not_pass() -> None:
    """A PASS on days that depend on each other becomes INCONCLUSIVE, with the autocorrelation and
    the bound that takes it into account."""
    verdict, (check,) = _check(_means(0.8, 60, 4, 0.05), _policy())

    assert verdict is Verdict.PASS
    assert (check.name, check.ok, check.otherwise) == (NAME, False, Verdict.INCONCLUSIVE)
    assert "consecutive days is 0.49" in check.message
    assert "with the long-run variance at 0.7" in check.message


def test_a_clear_pass_withstands_dependence() -> None:
    """An improvement of many standard deviations passes although the days depend on each other."""
    verdict, (check,) = _check(_means(0.8, 60, 4, 0.4), _policy())

    assert verdict is Verdict.PASS
    assert check.ok, check.message


def test_independent_blocks_pass() -> None:
    """A PASS on independent days stands, and the check shows the autocorrelation."""
    verdict, (check,) = _check(_means(0.0, 60, 5, 0.08), _policy())

    assert verdict is Verdict.PASS
    assert check.ok
    assert "the autocorrelation of consecutive days is 0" in check.message


def test_a_suspicion_is_decided_by_the_long_run_variance() -> None:
    """Where dependence is possible but not clear, a clear PASS holds and a narrow one does not."""
    means = next(
        means
        for seed in range(100)
        if 0.15 < np.corrcoef((means := _means(0.2, 60, seed, 0.0))[1:], means[:-1])[0, 1] < 0.17
    )

    _, (clear,) = _check(means + 0.1, _policy())
    verdict, (narrow,) = _check(means + 0.047, _policy())

    assert clear.ok
    assert "so the PASS holds" in clear.message
    assert verdict is Verdict.PASS
    assert not narrow.ok
    assert "with the long-run variance at 0." in narrow.message


@pytest.mark.parametrize("mean", [-0.2, 0.001])
def test_only_a_pass_is_checked(mean: float) -> None:
    """Without a PASS there is nothing to revoke."""
    verdict, checks = _check(_means(0.8, 60, 4, mean), _policy())

    assert verdict is not Verdict.PASS
    assert checks == []


def test_wrong_passes_of_dependent_blocks_are_rare() -> None:
    """With strong dependence and no improvement, most of the wrong PASSes are prevented."""
    wrong, prevented = 0, 0
    for seed in range(150):
        noise = np.random.default_rng(seed).normal(size=60)
        values = noise.copy()
        for t in range(1, 60):
            values[t] = 0.9 * values[t - 1] + math.sqrt(1 - 0.81) * noise[t]
        verdict, checks = _check(0.1 * values, _policy())
        wrong += verdict is Verdict.PASS
        prevented += any(not check.ok for check in checks)

    assert wrong >= 30
    assert wrong - prevented <= 0.06 * 150
