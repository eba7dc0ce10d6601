from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from support.present import present
from support.shadow_policies import hourly

from model_lifecycle.gates.aggregates.replay import BlockSummary, ReplayAggregate
from model_lifecycle.gates.formatting import count
from model_lifecycle.gates.inference.sequential import judge_blocks, look_at
from model_lifecycle.gates.policy.hypotheses import policy_hypotheses
from model_lifecycle.gates.policy.promotion import Comparison, ShadowPolicy
from model_lifecycle.gates.report import MetricRow
from model_lifecycle.registry.domain.evidence import Verdict

#: What a block holds: a summary for each hypothesis and slice.
Block = dict[tuple[str, str | None], BlockSummary]
POLICY = hourly(comparisons=(Comparison("brier", 0.01),))
(CLAIM,) = policy_hypotheses(POLICY.comparisons, (), (), champion=True)


def _cells(x: np.ndarray) -> list[tuple[str, BlockSummary]]:
    """Blocks of x, shape (blocks, requests)."""
    zeros = np.zeros(x.shape[1])
    return [
        (f"{date(2024, 1, 1) + timedelta(i)}", BlockSummary.of(row, zeros, -row))
        for i, row in enumerate(x)
    ]


def _judge(x: np.ndarray, margin: float = 0.01, **values: Any) -> tuple[MetricRow, dict[str, Any]]:
    policy = hourly(comparisons=(Comparison("brier", margin),), **values)
    hypotheses = policy_hypotheses(policy.comparisons, (), (), champion=True)
    aggregate = ReplayAggregate(
        blocks={name: {(hypotheses[0].key, None): c} for name, c in _cells(x)}
    )
    rows, detail = judge_blocks(policy, hypotheses, aggregate)
    return rows[0], detail["looks"][0]


def test_peeking_at_dependent_traffic_keeps_the_error_rate() -> None:
    """With traffic that depends on its block, at the margin exactly and looked at after each of
    100 blocks, about 5 % of 250 tests pass wrongly."""
    rng = np.random.default_rng(20)
    passes = 0
    for _ in range(250):
        shift = rng.normal(0, 0.05, (100, 1))
        x = np.clip(-0.01 + shift + rng.normal(0, 0.1, (100, 20)), -1, 1)
        looks = look_at(POLICY, CLAIM, _cells(x), 0.05)
        passes += any(look.verdict is Verdict.PASS for look in looks)

    assert passes / 250 <= 0.06


def test_rare_disagreement_keeps_the_error_rate() -> None:
    """Models that differ in one request of 500, always to the worse, at a margin of just that:
    hardly any test passes, although most see no difference in variance for long."""
    policy = hourly(comparisons=(Comparison("accuracy", 0.002),))
    (hypothesis,) = policy_hypotheses(policy.comparisons, (), (), champion=True)
    rng = np.random.default_rng(21)
    passes = 0
    for _ in range(150):
        x = -(rng.random((60, 35)) < 0.002).astype(float)
        looks = look_at(policy, hypothesis, _cells(x), 0.05)
        passes += any(look.verdict is Verdict.PASS for look in looks)

    assert passes / 150 <= 0.06


@pytest.mark.parametrize(("margin", "verdict"), [(0.01, Verdict.PASS), (0.0, Verdict.INCONCLUSIVE)])
def test_identical_models(margin: float, verdict: Verdict) -> None:
    """Models that never differ pass with a margin, and are never shown to be better."""
    row, _ = _judge(np.zeros((120, 100)), margin)

    assert verdict is row.verdict


def test_identical_models_after_too_little() -> None:
    """Without any difference seen, a pass takes enough requests to have seen one."""
    policy = hourly(comparisons=(Comparison("brier", 0.001),))
    row, _ = _judge(np.zeros((40, 30)), 0.001)

    assert policy.min_requests <= row.rows
    assert row.verdict is Verdict.INCONCLUSIVE


def test_swapping_the_models() -> None:
    """At a margin of 0, swapping the models swaps PASS and FAIL, at the same block."""
    x = np.random.default_rng(22).normal(0.02, 0.05, (60, 40))

    better, _ = _judge(x, 0.0)
    worse, _ = _judge(-x, 0.0)

    assert (better.verdict, worse.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert better.decided_at == worse.decided_at
    assert better.p_pass == pytest.approx(worse.p_fail)


def test_a_pass_stays() -> None:
    """A pass at one look is not undone by later looks that show less; the row has the numbers of
    the look that decided, and the sentence the later estimate."""
    rng = np.random.default_rng(23)
    later = np.tile([[0.7], [-0.7]], (5, 40))
    x = np.vstack([rng.normal(0.03, 0.02, (40, 40)), later])

    row, looks = _judge(x)

    assert row.verdict is Verdict.PASS
    assert looks["points"][-1]["lower"] < present(row.threshold) < present(row.lower)
    assert (looks["decided_at"], looks["verdict"]) == (30, "PASS")
    assert (row.units, row.rows) == (30, 1200)
    assert present(row.champion) - present(row.challenger) == pytest.approx(row.estimate)
    assert "PASS at hour 30; after all 50 it is 0.0" in row.sentence


def test_a_pass_that_later_data_contradict() -> None:
    """Where the estimate from all data breaks the margin, an earlier pass does not stand: a
    sentence never says PASS beside an estimate that is too bad."""
    rng = np.random.default_rng(23)
    x = np.vstack([rng.normal(0.03, 0.02, (40, 40)), rng.normal(-0.5, 0.6, (10, 40))])

    row, looks = _judge(x)

    assert row.verdict is Verdict.INCONCLUSIVE
    assert present(row.estimate) < present(row.threshold)
    assert "worsened" in row.sentence
    assert "later data contradict" in row.sentence
    assert (looks["decided_at"], looks["verdict"]) == (None, "INCONCLUSIVE")


def _unequal(better: float, worse: float, days: int = 28) -> list[tuple[str, np.ndarray]]:
    """Days of 24 hours, of which 18 are quiet (5 requests) and 6 busy (500)."""
    sizes = [5] * 18 + [500] * 6
    means = [better] * 18 + [worse] * 6
    rng = np.random.default_rng(26)
    return [
        (f"{date(2024, 1, 1) + timedelta(day)} {hour:02}:00", rng.normal(mean, 0.1, size))
        for day in range(days)
        for hour, (size, mean) in enumerate(zip(sizes, means, strict=True))
    ]


def _judge_unequal(**values: Any) -> tuple[MetricRow, dict[str, Any]]:
    policy = hourly(comparisons=(Comparison("brier", 0.01),), **values)
    hypotheses = policy_hypotheses(policy.comparisons, (), (), champion=True)
    blocks: dict[str, Block] = {
        name: {(hypotheses[0].key, None): BlockSummary.of(x, np.zeros(x.size), -x)}
        for name, x in _unequal(0.3, -0.05)
    }
    rows, detail = judge_blocks(policy, hypotheses, ReplayAggregate(blocks=blocks))
    return rows[0], detail


def test_the_estimate_is_a_mean_over_requests() -> None:
    """A challenger that is better in quiet hours and worse in the busy ones, which hold nearly all
    requests, fails; estimate and the models' columns are weighted alike."""
    row, _ = _judge_unequal()
    every = np.concatenate([x for _, x in _unequal(0.3, -0.05)])

    assert row.verdict is Verdict.FAIL
    assert row.estimate == pytest.approx(every.mean())
    assert present(row.champion) - present(row.challenger) == pytest.approx(row.estimate)
    assert f"over {count(every.size)} requests in 672 hours" in row.sentence


def test_a_policy_may_weigh_blocks_equally() -> None:
    """With ``weighting: blocks`` each hour has the same weight, and the sentence says so; the
    models' columns are weighted in the same way."""
    row, _ = _judge_unequal(weighting="blocks")
    means = [x.mean() for _, x in _unequal(0.3, -0.05)]

    assert row.verdict is Verdict.PASS
    assert row.estimate == pytest.approx(np.mean(means))
    assert present(row.champion) - present(row.challenger) == pytest.approx(row.estimate)
    assert "hours of equal weight" in row.sentence


def test_blocks_of_unequal_size_count_as_their_effective_number() -> None:
    """The minimum counts (Σ n)² / Σ n², not blocks: 672 hours of which 168 are busy are worth
    about 178."""
    row, detail = _judge_unequal(min_blocks=180)
    (effect,) = detail["design_effects"]

    assert effect["effective_blocks"] == pytest.approx(178, abs=1)
    assert row.verdict is Verdict.INCONCLUSIVE
    assert "672 hours of unequal size, worth 178.2, of the 180 hours" in row.sentence
    assert row.too_little


def test_one_huge_block_does_not_decide() -> None:
    """Where one block holds nearly all requests, there is no verdict, however many blocks."""
    policy = hourly(comparisons=(Comparison("brier", 0.01),))
    hypotheses = policy_hypotheses(policy.comparisons, (), (), champion=True)
    rng = np.random.default_rng(27)
    blocks: dict[str, Block] = {
        f"{date(2024, 1, 1) + timedelta(day)}": {
            (hypotheses[0].key, None): BlockSummary.of(x, np.zeros(x.size), -x)
        }
        for day in range(60)
        for x in [rng.normal(0.05, 0.01, 100_000 if day == 30 else 20)]
    }

    rows, _ = judge_blocks(policy, hypotheses, ReplayAggregate(blocks=blocks))

    assert rows[0].verdict is Verdict.INCONCLUSIVE
    assert "worth 1.0" in rows[0].sentence


def test_no_verdict_before_a_week() -> None:
    """By default a challenger that is better on weekdays and far worse at weekends does not pass on
    a Tuesday."""
    policy = ShadowPolicy(comparisons=(Comparison("brier", 0.01),), block="hour")
    hypotheses = policy_hypotheses(policy.comparisons, (), (), champion=True)
    rng = np.random.default_rng(28)
    start = datetime(2024, 3, 4, tzinfo=UTC)
    cells = []
    for hour in range(24 * 14):
        at = start + timedelta(hours=hour)
        x = rng.normal(0.01 if at.weekday() < 5 else -0.09, 0.1, 60)
        cells.append((f"{at:%Y-%m-%d %H:00}", BlockSummary.of(x, np.zeros(60), -x)))

    looks = look_at(policy, hypotheses[0], cells, 0.05)

    assert all("of the 168 hours" in look.too_little for look in looks[30:167])
    assert not any(look.verdict is Verdict.PASS for look in looks)


def test_a_pass_that_turns() -> None:
    """A challenger that passes early and is shown worse later fails, and the sentence says why."""
    rng = np.random.default_rng(24)
    x = np.vstack([rng.normal(0.03, 0.02, (40, 40)), rng.normal(-0.2, 0.02, (200, 40))])

    row, _ = _judge(x)

    assert row.verdict is Verdict.FAIL
    assert "not stable" in row.sentence


@pytest.mark.parametrize(("blocks", "requests"), [(29, 100), (40, 20)])
def test_not_before_the_minimum(blocks: int, requests: int) -> None:
    """There is no verdict before the least number of blocks, nor of requests."""
    x = np.random.default_rng(25).normal(0.5, 0.01, (blocks, requests))

    row, _ = _judge(x)

    assert row.verdict is Verdict.INCONCLUSIVE
    assert "that the policy requires" in row.sentence


def test_forecast_is_about_right() -> None:
    """The forecast of an undecided test is near the block at which it decides, if it goes on."""
    x = np.tile([[0.03], [-0.03]], (100, 30))
    early, _ = _judge(x[:40])
    late, _ = _judge(x)

    assert early.verdict is Verdict.INCONCLUSIVE
    assert late.verdict is Verdict.PASS
    assert early.forecast == pytest.approx(late.decided_at, rel=0.1)


def test_no_requests() -> None:
    """Without labelled requests there is no verdict and no number."""
    row, looks = _judge(np.zeros((0, 1)))

    assert (row.verdict, row.estimate, looks["points"]) == (Verdict.INCONCLUSIVE, None, [])
