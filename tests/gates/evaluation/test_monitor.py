"""A shadow test that follows live traffic."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from support.model_fixture import ModelFixture
from support.present import present
from support.shadow_policies import hourly

from model_lifecycle.gates.data.traffic import Batch, Partition, read_partitions
from model_lifecycle.gates.data.traffic_writer import write_labels
from model_lifecycle.gates.evaluation.monitor import MonitorResult
from model_lifecycle.gates.evaluation.recompute import recompute
from model_lifecycle.gates.policy.promotion import Comparison, ValidationPolicy
from model_lifecycle.gates.protocols import ArtifactFiles
from model_lifecycle.registry.domain import artifact_paths
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.domain.stages import Gate

START = datetime(2024, 3, 1, tzinfo=UTC)


async def _ready(world: ModelFixture, margin: float = 0.01, **more: Any) -> tuple[int, int]:
    champion = await world.register("weak")
    await world.promote(champion)
    version = await world.register("good")
    await world.policy(
        shadow=hourly(comparisons=(Comparison("brier", margin),), **more),
    )
    return champion, version


async def _look(world: ModelFixture, version: int, start: str, hours: int) -> MonitorResult:
    now = timedelta(hours=hours, minutes=20)
    return await world.monitor(version, Gate.SHADOW, start, now)


async def test_each_look_reads_what_is_new(
    world: ModelFixture, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks go on until there is a verdict, and no hour is read twice once its labels have come."""
    champion, version = await _ready(world, label_horizon_hours=1)
    read: list[str] = []

    async def counting(store: ArtifactFiles, hours: Sequence[Partition], **where: Any) -> Batch:
        read.extend(hour.name for hour in hours)
        return await read_partitions(store, hours, **where)

    monkeypatch.setattr("model_lifecycle.gates.evaluation.shadow_day.read_partitions", counting)
    nothing = await _look(world, version, start, 0)
    looks = []
    for hours in (10, 20, 35):
        await world.serve(champion, hours=hours)
        looks.append(await _look(world, version, start, hours + 1))

    assert (nothing.report, nothing.done) == (None, False)
    assert [look.done for look in looks] == [False, False, True]
    assert present(looks[2].report).verdict is Verdict.PASS
    (evidence,) = await world.registry.list_evidence(world.tenant, world.model, version)
    assert evidence.verdict is Verdict.PASS
    assert len(read) == len(set(read)) == 35
    again = await _look(world, version, start, 40)
    assert (again.done, present(again.report).evidence_id) == (True, evidence.evidence_id)


async def test_only_complete_days_are_judged(world: ModelFixture, start: str) -> None:
    """Where a day is a block, the day that is going on is no look yet."""
    champion, version = await _ready(world, block="day", min_blocks=10)
    await world.serve(champion, hours=40)

    looks = [await _look(world, version, start, hours) for hours in (20, 30, 47)]

    assert looks[0].report is None
    assert [present(look.report).counts["blocks"] for look in looks[1:]] == [1, 1]
    assert {look.until.hour for look in looks} == {0}


async def test_the_longest_a_test_may_take(world: ModelFixture, start: str) -> None:
    """At the maximum duration the verdict is what it is, and the version stays where it is."""
    champion, version = await _ready(
        world, margin=0.0, max_duration_days=1, min_blocks=10, min_requests=2000, expected_blocks=20
    )
    await world.serve(champion, hours=40)

    look = await _look(world, version, start, 30)

    assert look.done
    assert present(look.report).verdict is Verdict.INCONCLUSIVE
    assert present(look.report).counts["blocks"] == 24
    assert "1 440 of the 2 000 requests" in present(look.report).sentence
    assert "its longest duration, one day, is over" in present(look.report).sentence


async def test_champion_that_changed(world: ModelFixture, start: str) -> None:
    """A new champion ends the test: what was collected is about another one."""
    champion, version = await _ready(world)
    await world.serve(champion, hours=10)
    await _look(world, version, start, 10)
    await world.promote(await world.register("weak"))

    look = await _look(world, version, start, 11)

    assert look.done
    assert present(look.report).verdict is Verdict.INVALID
    assert "the champion changed meanwhile" in present(look.report).sentence


async def test_labels_that_are_corrected(world: ModelFixture, start: str) -> None:
    """Corrected labels in a file of the same name and size are seen: the last look says what a
    test of all at once says."""
    champion, version = await _ready(
        world, label_horizon_hours=1, margin=0.0, min_blocks=10, min_requests=2000
    )
    await world.serve(champion, hours=20)
    first = await _look(world, version, start, 21)
    folder = artifact_paths.labels_partition(TenantId(world.tenant), ModelId(world.model), START)
    path = f"{folder}/part-00000.parquet"
    labels = pd.read_parquet(io.BytesIO(await world.registry.artifacts.get_bytes(path)))
    corrected = labels.assign(label=1 - labels["label"])
    await write_labels(world.registry.artifacts, world.tenant, world.model, START, corrected)

    second = await _look(world, version, start, 22)
    end = (START + timedelta(hours=21)).isoformat()
    single = await world.shadow_test(version, start, end)

    before, after = (present(present(look.report).metrics[0].estimate) for look in (first, second))

    assert before > 0 > after
    assert present(second.report).metrics == single.metrics
    assert present(second.report).counts == single.counts


async def test_requests_that_are_replaced(world: ModelFixture, start: str) -> None:
    """An hour that is written again with other answers is read again."""
    champion, version = await _ready(world, label_horizon_hours=1, margin=0.0)
    await world.serve(champion, hours=20)
    first = await _look(world, version, start, 21)
    await world.serve(champion, hours=20, change=lambda log: log[:30])

    second = await _look(world, version, start, 22)

    assert (
        present(first.report).counts["requests"],
        present(second.report).counts["requests"],
    ) == (1200, 600)


async def test_a_changed_policy_starts_the_test_anew(world: ModelFixture, start: str) -> None:
    """A margin that is widened while the test runs is judged on later data only: the look says
    from when, and as which attempt."""
    champion, _ = await _ready(world, margin=0.0001)
    version = await world.register("weak")
    await world.serve(champion, hours=120)
    before = await _look(world, version, start, 30)
    await world.policy(shadow=hourly(comparisons=(Comparison("brier", 0.05),)))

    at_the_change = await _look(world, version, start, 31)
    soon = await _look(world, version, start, 50)
    late = await _look(world, version, start, 90)

    assert present(before.report).counts["blocks"] == 30
    assert (at_the_change.report, at_the_change.done) == (None, False)
    assert present(soon.report).verdict is Verdict.INCONCLUSIVE
    assert present(soon.report).counts["blocks"] == 18
    assert present(soon.report).attempts == 2
    (check,) = [item for item in present(soon.report).checks if item.name == "policy unchanged"]
    assert "restarted at 2024-03-02T08:00:00+00:00, as attempt 2" in check.message
    assert late.done
    assert present(late.report).verdict is Verdict.PASS
    assert present(late.report).attempts == 2
    assert recompute(present(late.report).document()).agrees


async def test_another_gates_policy_does_not_start_it_anew(world: ModelFixture, start: str) -> None:
    """Only the test's own part of the policy matters."""
    champion, version = await _ready(world, margin=0.0001)
    await world.serve(champion, hours=40)
    await _look(world, version, start, 20)
    await world.policy(
        validation=ValidationPolicy(comparisons=(Comparison("brier", 0.2),)),
        shadow=hourly(comparisons=(Comparison("brier", 0.0001),)),
    )

    look = await _look(world, version, start, 21)

    assert present(look.report).counts["blocks"] == 21
    assert present(look.report).attempts == 1
