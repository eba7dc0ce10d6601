from __future__ import annotations

import numpy as np
import pytest
from support.present import present

from model_lifecycle.gates.aggregates.holdout import HeldOut, row_sums
from model_lifecycle.gates.inference.fixed_sample import judge_rows
from model_lifecycle.gates.metrics.losses import Answers
from model_lifecycle.gates.policy.hypotheses import policy_hypotheses
from model_lifecycle.gates.policy.promotion import Comparison, Limit, ValidationPolicy
from model_lifecycle.gates.report import MetricRow
from model_lifecycle.gates.statistics import tango
from model_lifecycle.registry.domain.evidence import Verdict

RNG = np.random.default_rng(11)


def _answers(scores: np.ndarray) -> Answers:
    return Answers((scores > 0.5).astype(int), scores)


def _world(
    rows: int, skill_a: float, skill_b: float, rng: np.random.Generator = RNG
) -> tuple[np.ndarray, Answers, Answers]:
    """Labels, and two models' scores of given skill."""
    labels = (rng.random(rows) < 0.4).astype(int)
    first, second = (
        np.clip(0.4 + skill * (labels - 0.4) + rng.normal(0, 0.15, rows), 0, 1)
        for skill in (skill_a, skill_b)
    )
    return labels, _answers(first), _answers(second)


def _judge(
    policy: ValidationPolicy,
    labels: np.ndarray,
    champion: Answers | None,
    challenger: Answers,
    units: np.ndarray | None = None,
) -> tuple[MetricRow, ...]:
    hypotheses = policy_hypotheses(
        policy.comparisons, policy.limits, policy.slices, champion=champion is not None
    )
    data = HeldOut(labels, challenger, champion, units)
    return judge_rows(policy, hypotheses, row_sums(hypotheses, data)[0])


@pytest.mark.parametrize("metric", ["brier", "log_loss", "accuracy"])
def test_swapping_the_models(metric: str) -> None:
    """At a margin of 0, swapping the models swaps PASS and FAIL."""
    policy = ValidationPolicy(comparisons=(Comparison(metric, 0.0),))
    labels, weak, strong = _world(3000, 0.1, 0.5)

    (better,) = _judge(policy, labels, weak, strong)
    (worse,) = _judge(policy, labels, strong, weak)

    assert (better.verdict, worse.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert better.estimate == pytest.approx(-present(worse.estimate))


@pytest.mark.parametrize("metric", ["brier", "log_loss", "accuracy"])
@pytest.mark.parametrize("rows", [200, 300, 3000, 30000])
@pytest.mark.parametrize("margin", [0.0, 0.005])
def test_identical_models(metric: str, rows: int, margin: float) -> None:
    """A model compared with itself never fails, and passes only with a margin and enough rows."""
    policy = ValidationPolicy(comparisons=(Comparison(metric, margin),))
    labels, model, _ = _world(rows, 0.3, 0.3)

    (row,) = _judge(policy, labels, model, model)

    enough = margin > 0 and rows >= (30_000 if metric == "log_loss" else 3_000)
    assert row.verdict is (Verdict.PASS if enough else Verdict.INCONCLUSIVE)


def test_accuracy_is_tangos() -> None:
    """Single rows of a binary measure are judged by Tango's test."""
    policy = ValidationPolicy(comparisons=(Comparison("accuracy", 0.02),))
    labels, champion, challenger = _world(2000, 0.3, 0.3)
    right, was = challenger.prediction == labels, champion.prediction == labels
    counts = int((right & ~was).sum()), int((~right & was).sum()), 2000

    (row,) = _judge(policy, labels, champion, challenger)

    assert tango.p_greater(*counts, -0.02) == pytest.approx(row.p_pass)
    assert tango.lower_bound(*counts, 0.05) == pytest.approx(row.lower)


@pytest.mark.parametrize(("minimum", "verdict"), [(0.5, Verdict.PASS), (0.99, Verdict.FAIL)])
def test_limit_of_accuracy(minimum: float, verdict: Verdict) -> None:
    """A limit is judged by Wilson's bounds, and read in the measure's own direction."""
    policy = ValidationPolicy(limits=(Limit("accuracy", minimum=minimum),))
    labels, _, model = _world(2000, 0.3, 0.5)
    share = (model.prediction == labels).mean()

    (row,) = _judge(policy, labels, None, model)

    assert verdict is row.verdict
    assert share == pytest.approx(row.estimate)
    assert present(row.lower) < share < present(row.upper)
    assert (row.threshold, row.passes) == (minimum, "above")


def test_error_rate_of_a_pass() -> None:
    """A version at the margin exactly passes in about 5 % of 1000 trials, not more."""
    policy = ValidationPolicy(comparisons=(Comparison("accuracy", 0.05),), min_rows=100)
    rng = np.random.default_rng(12)
    passes = 0
    for _ in range(1000):
        labels = np.ones(400, dtype=int)
        right = rng.random(400) < 0.8
        lost, won = rng.random(400) < 0.1, rng.random(400) < 0.15
        challenger = np.where(right, ~lost, won)
        (row,) = _judge(
            policy,
            labels,
            Answers(right.astype(int)),
            Answers(challenger.astype(int)),
        )
        passes += row.verdict is Verdict.PASS

    # P(worse) - P(better) = 0.8 * 0.1 - 0.2 * 0.15 = 0.05, the margin
    assert 0.03 <= passes / 1000 <= 0.07


def test_clusters_widen() -> None:
    """Rows that come in alike clusters are worth fewer."""
    labels, champion, challenger = _world(40, 0.1, 0.3)
    many = np.repeat(np.arange(40), 50)
    by_row = ValidationPolicy(comparisons=(Comparison("brier", 0.0),))
    by_cluster = ValidationPolicy(
        comparisons=(Comparison("brier", 0.0),), unit="cluster", cluster="user"
    )

    (naive,) = _judge(by_row, labels[many], champion.of(many), challenger.of(many))
    (honest,) = _judge(by_cluster, labels[many], champion.of(many), challenger.of(many), many)

    width, naive_width = (present(row.upper) - present(row.lower) for row in (honest, naive))
    assert width > 5 * naive_width
    assert (honest.units, honest.rows) == (40, 2000)
