from datetime import date, timedelta

import numpy as np
import pytest

from model_lifecycle.gates.claims import claims
from model_lifecycle.gates.looks import judge_blocks, look_at
from model_lifecycle.gates.policies import Comparison, ShadowPolicy
from model_lifecycle.gates.tally import Cell, Tally
from model_lifecycle.registry.rules.evidence import Verdict

POLICY = ShadowPolicy(comparisons=(Comparison("brier", 0.01),))
(CLAIM,) = claims(POLICY.comparisons, (), (), champion=True)


def _cells(x):
    """Blocks of x, shape (blocks, requests)."""
    zeros = np.zeros(x.shape[1])
    return [
        (f"{date(2024, 1, 1) + timedelta(i)}", Cell.of(row, zeros, -row)) for i, row in enumerate(x)
    ]


def _judge(x, margin=0.01, **values):
    policy = ShadowPolicy(comparisons=(Comparison("brier", margin),), **values)
    found = claims(policy.comparisons, (), (), champion=True)
    tally = Tally(blocks={name: {(found[0].key, None): c} for name, c in _cells(x)})
    rows, shown = judge_blocks(policy, found, tally)
    return rows[0], shown["looks"][0]


def test_peeking_at_dependent_traffic_keeps_the_error_rate():
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


def test_rare_disagreement_keeps_the_error_rate():
    """Models that differ in one request of 500, always to the worse, at a margin of just that:
    hardly any test passes, although most see no difference in variance for long."""
    policy = ShadowPolicy(comparisons=(Comparison("accuracy", 0.002),))
    (claim,) = claims(policy.comparisons, (), (), champion=True)
    rng = np.random.default_rng(21)
    passes = 0
    for _ in range(150):
        x = -(rng.random((60, 35)) < 0.002).astype(float)
        looks = look_at(policy, claim, _cells(x), 0.05)
        passes += any(look.verdict is Verdict.PASS for look in looks)

    assert passes / 150 <= 0.06


@pytest.mark.parametrize(("margin", "verdict"), [(0.01, Verdict.PASS), (0.0, Verdict.INCONCLUSIVE)])
def test_identical_models(margin, verdict):
    """Models that never differ pass with a margin, and are never shown to be better."""
    row, _ = _judge(np.zeros((120, 100)), margin)

    assert verdict is row.verdict


def test_identical_models_after_too_little():
    """Without any difference seen, a pass takes enough requests to have seen one."""
    policy = ShadowPolicy(comparisons=(Comparison("brier", 0.001),))
    row, _ = _judge(np.zeros((40, 30)), 0.001)

    assert policy.min_requests <= row.rows
    assert row.verdict is Verdict.INCONCLUSIVE


def test_swapping_the_models():
    """At a margin of 0, swapping the models swaps PASS and FAIL, at the same block."""
    x = np.random.default_rng(22).normal(0.02, 0.05, (60, 40))

    better, _ = _judge(x, 0.0)
    worse, _ = _judge(-x, 0.0)

    assert (better.verdict, worse.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert better.decided_at == worse.decided_at
    assert better.p_pass == pytest.approx(worse.p_fail)


def test_a_pass_stays():
    """A pass at one look is not undone by later looks that show less."""
    rng = np.random.default_rng(23)
    x = np.vstack([rng.normal(0.03, 0.02, (40, 40)), rng.normal(-0.5, 0.6, (10, 40))])

    row, looks = _judge(x)

    assert row.verdict is Verdict.PASS
    assert row.lower < row.threshold
    assert (looks["decided_at"], looks["verdict"]) == (30, "PASS")


def test_a_pass_that_turns():
    """A challenger that passes early and is shown worse later fails, and the sentence says why."""
    rng = np.random.default_rng(24)
    x = np.vstack([rng.normal(0.03, 0.02, (40, 40)), rng.normal(-0.2, 0.02, (200, 40))])

    row, _ = _judge(x)

    assert row.verdict is Verdict.FAIL
    assert "not stable" in row.sentence


@pytest.mark.parametrize(("blocks", "requests"), [(29, 100), (40, 20)])
def test_not_before_the_minimum(blocks, requests):
    """There is no verdict before the least number of blocks, nor of requests."""
    x = np.random.default_rng(25).normal(0.5, 0.01, (blocks, requests))

    row, _ = _judge(x)

    assert row.verdict is Verdict.INCONCLUSIVE
    assert "that the policy asks for" in row.sentence


def test_forecast_is_about_right():
    """The forecast of an undecided test is near the block at which it decides, if it goes on."""
    x = np.tile([[0.03], [-0.03]], (100, 30))
    early, _ = _judge(x[:40])
    late, _ = _judge(x)

    assert early.verdict is Verdict.INCONCLUSIVE
    assert late.verdict is Verdict.PASS
    assert early.forecast == pytest.approx(late.decided_at, rel=0.1)


def test_no_requests():
    """Without labelled requests there is no verdict and no number."""
    row, looks = _judge(np.zeros((0, 1)))

    assert (row.verdict, row.estimate, looks["points"]) == (Verdict.INCONCLUSIVE, None, [])
