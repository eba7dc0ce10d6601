"""Outcomes of an A/B test that are missing, rare, of another unit, or one unit's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model_lifecycle.gates.aggregates.arms import ArmAggregate, batch_units
from model_lifecycle.gates.checks.ab_test import arm_checks
from model_lifecycle.gates.data.pairing import Day
from model_lifecycle.gates.data.traffic import Batch, ReadHour
from model_lifecycle.gates.inference.decision import combine
from model_lifecycle.gates.inference.two_sample import judge_arms
from model_lifecycle.gates.policy.promotion import ABPolicy, OutcomeDemand
from model_lifecycle.gates.report import Check, MetricRow
from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.evidence import Verdict

START = datetime(2024, 3, 1, tzinfo=UTC)
VERSIONS = {"champion": 1, "challenger": 2}
COMPLAINTS = OutcomeDemand("complaints", margin=0.02, higher_is_better=False)
SPENT = OutcomeDemand("spent", "mean", margin=1.0)


def _day(day: int, rows: int = 1200, **columns: Any) -> pd.DataFrame:
    """One request of each unit, half of them answered by each version."""
    roles = np.where(np.arange(rows) % 2, "challenger", "champion")
    return pd.DataFrame(
        {
            "request_id": [f"{day}-{row}" for row in range(rows)],
            "requested_at": [START + timedelta(days=day, seconds=row) for row in range(rows)],
            "unit_id": [f"u{day}-{row}" for row in range(rows)],
            "role": roles,
            "version": np.where(roles == "challenger", 2, 1),
            **columns,
        }
    )


def _judge(
    policy: ABPolicy, days: dict[int, pd.DataFrame]
) -> tuple[tuple[MetricRow, ...], dict[str, Check], Verdict]:
    """The outcomes' rows, the checks and the verdict."""
    units = ArmAggregate()
    for number, frame in days.items():
        at = START + timedelta(days=number)
        hour = ReadHour(f"{at:%Y-%m-%d %H}h", at, "sha256:0", len(frame), len(frame))
        batch = Batch(hour.name, frame.reset_index(drop=True), (hour,))
        units.merge(batch_units(policy, batch, Day(), VERSIONS, START + timedelta(days=99)))
    looks = units.looks(policy)
    rows, _ = judge_arms(policy, looks)
    checks = arm_checks(policy, looks, units.counts)
    return rows, {check.name: check for check in checks}, combine(rows, checks)


def _policy(*outcomes: OutcomeDemand, **more: Any) -> ABPolicy:
    return ABPolicy(outcomes=outcomes, min_units=1000, expected_units=5000, **more)


def _complaints(
    share: float,
    challenger_share: float,
    lost: float = 0.0,
    challenger_lost: float = 0.0,
    seed: int = 1,
) -> dict[int, pd.DataFrame]:
    """Seven days of complaints, of which some are lost by arm."""
    rng = np.random.default_rng(seed)
    days = {}
    for day in range(7):
        frame = _day(day)
        treated = (frame["role"] == "challenger").to_numpy()
        rate = np.where(treated, challenger_share, share)
        values = (rng.random(len(frame)) < rate).astype(float)
        gone = rng.random(len(frame)) < np.where(treated, challenger_lost, lost)
        days[day] = frame.assign(complaints=np.where(gone, np.nan, values))
    return days


@pytest.mark.parametrize("lost", [1.0, 0.2, 0.03])
def test_outcomes_that_one_arm_loses(lost: float) -> None:
    """Outcomes that are lost in one arm make the test INVALID, though 0 would be better."""
    _, checks, verdict = _judge(_policy(COMPLAINTS), _complaints(0.05, 0.05, 0.0, lost))

    assert verdict is Verdict.INVALID
    assert not checks["outcomes of complaints"].ok
    assert "of the challenger" in checks["outcomes of complaints"].message


def test_missing_outcomes_at_their_worst() -> None:
    """A PASS that the missing outcomes could undo is not said, unless the policy tolerates them."""
    days = _complaints(0.05, 0.03, 0.03, 0.03)

    doubted, _, verdict = _judge(_policy(COMPLAINTS), days)
    tolerated = _judge(_policy(COMPLAINTS, tolerated_missing=0.04), days)

    assert verdict is Verdict.INCONCLUSIVE
    assert "missing outcomes at their worst" in doubted[0].sentence
    assert tolerated[2] is Verdict.PASS


def test_few_missing_outcomes() -> None:
    """A clear PASS stands with a few missing ones at their worst."""
    _, checks, verdict = _judge(_policy(COMPLAINTS), _complaints(0.08, 0.03, 0.005, 0.005))

    assert verdict is Verdict.PASS
    assert not checks["outcomes of complaints"].ok


def test_missing_outcomes_that_are_zero() -> None:
    """Where the policy says so, a missing outcome is 0; an arm without any is still INVALID."""
    sparse = OutcomeDemand("complaints", margin=0.02, higher_is_better=False, missing="zero")
    days = _complaints(0.08, 0.03)
    for frame in days.values():
        frame["complaints"] = frame["complaints"].where(frame["complaints"] > 0)

    assert _judge(_policy(sparse), days)[2] is Verdict.PASS
    assert _judge(_policy(sparse), _complaints(0.08, 0.03, 0, 1))[2] is Verdict.INVALID


def _spent(scale: float = 1.0, seed: int = 2, **more: Any) -> dict[int, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    days = {}
    for day in range(7):
        frame = _day(day)
        treated = (frame["role"] == "challenger").to_numpy()
        values = rng.gamma(2, 5, len(frame)) * np.where(treated, scale, 1.0)
        days[day] = frame.assign(spent=values, clicks=1, **more)
    return days


@pytest.mark.parametrize("scale", [100.0, 0.01])
def test_outcomes_in_another_unit(scale: float) -> None:
    """Cents in one arm and euros in the other are INVALID."""
    _, checks, verdict = _judge(_policy(SPENT), _spent(scale))

    assert verdict is Verdict.INVALID
    assert "in different units" in checks["level of spent"].message


def test_outcomes_that_are_gone_from_one_arm() -> None:
    """An arm whose outcomes are all 0 where many are to be expected has lost them."""
    _, checks, verdict = _judge(_policy(COMPLAINTS), _complaints(0.05, 0.0))

    assert verdict is Verdict.INVALID
    assert "is missing from its log" in checks["level of complaints"].message


@pytest.mark.parametrize("arm", ["champion", "challenger"])
def test_a_unit_that_decides(arm: str) -> None:
    """A ratio that rests on one unit is not decided, whichever arm the unit is in."""
    ratio = OutcomeDemand("spent", "ratio", margin=0.5, per="clicks")
    days = _spent()
    for frame in days.values():
        frame["spent"], frame["clicks"] = 10.0, 5
    robot = days[6].index[days[6]["role"] == arm][0]
    days[6].loc[robot, ["spent", "clicks"]] = [0.0, 90_000]

    rows, _, verdict = _judge(_policy(ratio), days)

    assert verdict is Verdict.INCONCLUSIVE
    assert f"one unit of the {arm} holds" in rows[0].sentence


def test_values_that_nobody_has_had_yet() -> None:
    """Rare large costs that may be unseen withhold a PASS; a bound says that there are none."""
    cost: dict[str, Any] = {"kind": "mean", "margin": 0.5, "higher_is_better": False}
    days = _spent(0.97)

    doubted = _judge(_policy(OutcomeDemand("spent", **cost)), days)
    bounded = _judge(_policy(OutcomeDemand("spent", bound=100, **cost)), days)

    assert doubted[2] is Verdict.INCONCLUSIVE
    assert "set a bound" in doubted[0][0].sentence
    assert bounded[2] is Verdict.PASS, bounded[0][0].sentence


def test_a_rare_large_cost() -> None:
    """A single large cost makes nearly all of the variance: there is no verdict yet."""
    cost = OutcomeDemand("spent", "mean", margin=0.5, higher_is_better=False)
    days = _spent(0.9)
    days[3].loc[1, "spent"] = 9_000

    rows, _, verdict = _judge(_policy(cost), days)

    assert verdict is Verdict.INCONCLUSIVE
    assert "one unit of the challenger" in rows[0].sentence


def test_days_of_one_arm() -> None:
    """Days on which only one version served are no days of the test."""
    days = _complaints(0.08, 0.03)
    for day in range(6):
        days[day] = days[day][days[day]["role"] == "champion"]
    days[6] = _complaints(0.08, 0.03)[6].iloc[np.r_[0:1200]]

    rows, checks, verdict = _judge(_policy(COMPLAINTS, share=0.15), days)

    assert verdict in (Verdict.INCONCLUSIVE, Verdict.INVALID)
    assert "1 of the 7 days with both arms" in rows[0].sentence
    assert "1 of 7 days have units in both arms" in checks["days of both arms"].message


def test_units_count_in_their_first_arm() -> None:
    """A unit that changes arms counts in its first arm."""
    first = _day(0, rows=4, complaints=[0, 0, 0, 0])
    moved = _day(1, rows=2, complaints=[1, 0]).assign(unit_id=["u0-1", "u0-0"])
    units = ArmAggregate()
    for number, frame in ((0, first), (1, moved)):
        at = START + timedelta(days=number)
        hour = ReadHour("h", at, "sha256:0", len(frame), len(frame))
        batch = Batch("h", frame, (hour,))
        units.merge(
            batch_units(_policy(COMPLAINTS), batch, Day(), VERSIONS, START + timedelta(days=9))
        )

    look = units.looks(_policy(COMPLAINTS))[-1]

    assert (look["crossed"], look["champion"]["units"], look["challenger"]["units"]) == (2, 2, 2)
    weights = [look[who]["outcomes"]["complaints"]["weights"]["nonzero"] for who in VERSIONS]
    assert weights == [0, 1]


def test_later_fields_of_an_outcome() -> None:
    """Fields with their defaults are no part of the document, so that fingerprints stay."""
    assert set(SPENT.document()) == {"column", "kind", "margin", "higher_is_better", "per"}
    with pytest.raises(InvalidInput, match="bound goes with kind"):
        OutcomeDemand("complaints", bound=3.0)
    with pytest.raises(InvalidInput, match="missing must be one of"):
        OutcomeDemand("complaints", missing="null")
