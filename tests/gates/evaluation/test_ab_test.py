from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.model_fixture import START, ModelFixture
from support.present import present

from model_lifecycle.gates.data.assignment import arm
from model_lifecycle.gates.data.traffic import Batch, Partition, read_partitions
from model_lifecycle.gates.data.traffic_writer import write_traffic
from model_lifecycle.gates.evaluation.monitor import MonitorResult
from model_lifecycle.gates.evaluation.recompute import recompute
from model_lifecycle.gates.policy.promotion import (
    ABPolicy,
    Comparison,
    OutcomeDemand,
    ValidationPolicy,
    promotion_policy,
)
from model_lifecycle.gates.protocols import ArtifactFiles
from model_lifecycle.gates.report import GateReport
from model_lifecycle.registry.domain.errors import InvalidDataset
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.stages import Gate

BOUGHT = OutcomeDemand("bought", margin=0.05)


@pytest.fixture
async def versions(world: ModelFixture) -> tuple[int, int]:
    """A champion in production and a candidate; a policy with an A/B test."""
    champion, version = await world.register("weak"), await world.register("good")
    await world.promote(champion)
    return champion, version


async def _policy(world: ModelFixture, *outcomes: OutcomeDemand, **more: Any) -> None:
    await world.registry.set_policy(
        world.tenant,
        world.model,
        promotion_policy(
            validation=ValidationPolicy(comparisons=(Comparison("brier", 0.01),)),
            ab_test=ABPolicy(
                outcomes=outcomes or (BOUGHT,),
                unit="user",
                min_units=200,
                expected_units=2000,
                **{"salt": "spring", **more},
            ),
        ),
        actor="tests",
    )


async def _serve(
    world: ModelFixture,
    versions: tuple[int, int],
    *,
    lift: float = 0.0,
    days: int = 8,
    drop: float = 0.0,
    swap: float = 0.0,
) -> None:
    """Days of traffic of returning users."""
    rng = np.random.default_rng(14)
    start = pd.Timestamp("2024-03-01", tz="UTC")
    for day in range(days):
        at = start + pd.Timedelta(days=day)
        users = [f"u{n}" for n in rng.integers(0, 3000, 700)]
        roles = np.array([arm(user, "spring") for user in users])
        change = rng.random(len(users)) < swap
        roles = np.where(change, "challenger", roles)
        treated = roles == "challenger"
        frame = pd.DataFrame(
            {
                "user": users,
                "request_id": [f"{day}-{n}" for n in range(len(users))],
                "requested_at": at,
                "version": np.where(treated, versions[1], versions[0]),
                "role": roles,
                "prediction": 1,
                "bought": (rng.random(len(users)) < 0.2 + lift * treated).astype(int),
                "spent": rng.gamma(2, 1, len(users)),
                "clicks": rng.poisson(3, len(users)) + 1,
            }
        )
        frame = frame[~(treated & (rng.random(len(users)) < drop))]
        await write_traffic(
            world.registry.artifacts, world.tenant, world.model, at.to_pydatetime(), frame
        )


async def _run(world: ModelFixture, versions: tuple[int, int], **traffic: Any) -> GateReport:
    """The report on such days."""
    await _serve(world, versions, **traffic)
    return await world.ab_test(versions[1], "2024-03-01", "2024-03-20")


@pytest.mark.parametrize(
    ("lift", "verdict"),
    [(0.1, Verdict.PASS), (-0.19, Verdict.FAIL), (-0.04, Verdict.INCONCLUSIVE)],
)
async def test_verdicts(
    world: ModelFixture, versions: tuple[int, int], lift: float, verdict: Verdict
) -> None:
    """More is a PASS, much less a FAIL, near the margin neither; the report recomputes."""
    await _policy(world)

    report = await _run(world, versions, lift=lift)

    assert report.verdict is verdict, report.sentence
    (evidence,) = await world.registry.list_evidence(world.tenant, world.model, versions[1])
    assert (evidence.gate, evidence.baseline) == (Gate.AB_TEST, versions[0])
    again = recompute(report.document())
    assert again.agrees, again.differences
    if verdict is Verdict.INCONCLUSIVE:
        assert "units in all" in report.sentence or "too close" in report.sentence


async def test_mean_and_ratio(world: ModelFixture, versions: tuple[int, int]) -> None:
    """Means and ratios are judged per unit, and equal arms do not fail."""
    await _policy(
        world,
        OutcomeDemand("spent", "mean", margin=2.0),
        OutcomeDemand("spent", "ratio", margin=0.5, per="clicks", higher_is_better=False),
    )

    report = await _run(world, versions)

    assert report.verdict is Verdict.PASS, report.sentence
    assert [row.name for row in report.metrics] == ["spent", "spent/clicks"]
    assert report.detail["exposure"][0]["day"] == 0


async def test_outcomes_that_cannot_be_counted(
    world: ModelFixture, versions: tuple[int, int]
) -> None:
    """An outcome in too small or too large a unit is refused, and so is one that is no number."""
    await _policy(world, OutcomeDemand("spent", "mean"))
    at = pd.Timestamp("2024-03-01", tz="UTC").to_pydatetime()
    for spent, problem in (
        (1e-9, "smaller than a millionth"),
        (1e12, "larger than 1e"),
        ("much", "is not a number everywhere"),
    ):
        frame = pd.DataFrame(
            {
                "user": ["u1"],
                "request_id": ["r1"],
                "requested_at": [at],
                "version": [versions[0]],
                "role": ["champion"],
                "prediction": [1],
                "spent": [spent],
            }
        )
        await write_traffic(world.registry.artifacts, world.tenant, world.model, at, frame)

        with pytest.raises(InvalidDataset, match=problem):
            await world.ab_test(versions[1], "2024-03-01", "2024-03-20")


async def test_sample_ratio_mismatch(world: ModelFixture, versions: tuple[int, int]) -> None:
    """Units that get lost in one arm make the test INVALID, however good the rest looks."""
    await _policy(world)

    report = await _run(world, versions, lift=0.2, drop=0.4)

    assert report.verdict is Verdict.INVALID
    assert "something other than chance decides" in report.sentence


async def test_units_that_change_arms(world: ModelFixture, versions: tuple[int, int]) -> None:
    """Units answered by the other arm's version are noticed."""
    await _policy(world)

    report = await _run(world, versions, swap=0.1)

    assert report.verdict is Verdict.INVALID
    failed = {check.name for check in report.checks if not check.ok and check.otherwise}
    assert {"assignment", "units in both arms"} <= failed


async def test_look_after_look(
    world: ModelFixture, versions: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Following live traffic reads each hour once, waits for whole days, and ends with the verdict
    that the whole window gives."""
    await _policy(world)
    read: list[str] = []

    async def counting(store: ArtifactFiles, hours: Sequence[Partition], **where: Any) -> Batch:
        read.extend(hour.name for hour in hours)
        return await read_partitions(store, hours, **where)

    monkeypatch.setattr("model_lifecycle.gates.evaluation.ab_day.read_partitions", counting)
    await _serve(world, versions, lift=0.1)
    looks = [await _look(world, versions, hours) for hours in (20, 100, 167, 169)]
    single = await world.ab_test(versions[1], "2024-03-01", "2024-03-08")

    assert [look.done for look in looks] == [False, False, False, True]
    assert looks[0].report is None
    assert [present(look.report).counts["days"] for look in looks[1:]] == [4, 6, 7]
    assert len(read) == 7 + 7
    assert present(looks[-1].report).verdict is Verdict.PASS
    assert present(looks[-1].report).metrics == single.metrics
    assert single.attempts == 2


async def test_the_longest_an_ab_test_may_take(
    world: ModelFixture, versions: tuple[int, int]
) -> None:
    """At the last day the verdict is what it is, and says that it is the last word."""
    await _policy(world, max_days=7)
    await _serve(world, versions, lift=-0.04)

    look = await _look(world, versions, 24 * 7)

    assert (look.done, present(look.report).verdict) == (True, Verdict.INCONCLUSIVE)
    assert "its longest duration, 7 days, is over" in present(look.report).sentence
    assert recompute(present(look.report).document()).agrees


async def test_champion_that_changed_while_following(
    world: ModelFixture, versions: tuple[int, int]
) -> None:
    """A new champion ends the test as INVALID."""
    await _policy(world)
    await _serve(world, versions, lift=0.1)
    await _look(world, versions, 50)
    await world.promote(await world.register("weak"))

    look = await _look(world, versions, 75)

    assert (look.done, present(look.report).verdict) == (True, Verdict.INVALID)
    assert "the champion changed meanwhile" in present(look.report).sentence


async def _look(world: ModelFixture, versions: tuple[int, int], hours: int) -> MonitorResult:
    return await world.monitor(versions[1], Gate.AB_TEST, START.isoformat(), timedelta(hours=hours))


async def test_too_early(world: ModelFixture, versions: tuple[int, int]) -> None:
    """Before the least number of days there is no verdict."""
    await _policy(world)

    report = await _run(world, versions, lift=0.2, days=5)

    assert report.verdict is Verdict.INCONCLUSIVE
    assert "5 of the 7 days" in report.sentence


async def test_a_salt_that_is_used_again(world: ModelFixture, versions: tuple[int, int]) -> None:
    """A test of another version with the same salt is a warning, and the report recomputes."""
    await _policy(world)
    await _run(world, versions, lift=0.1)
    other = await world.register("bad")

    report = await _run(world, (versions[0], other), lift=0.1)

    (check,) = [check for check in report.checks if check.name == "salt"]
    assert (check.ok, check.otherwise) == (False, None)
    assert f"version {versions[1]}" in check.message
    assert recompute(report.document()).agrees
