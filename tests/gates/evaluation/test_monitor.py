"""A shadow test that follows live traffic."""

import io
from datetime import UTC, datetime, timedelta

import pandas as pd
from support.shadow_policies import hourly

from model_lifecycle.gates.data.traffic import read_partitions
from model_lifecycle.gates.data.traffic_writer import write_labels
from model_lifecycle.gates.evaluation.monitor import monitor_traffic
from model_lifecycle.gates.evaluation.recompute import recompute
from model_lifecycle.gates.evaluation.shadow_test import shadow_test_version
from model_lifecycle.gates.policy.promotion import Comparison, ValidationPolicy
from model_lifecycle.registry.domain import artifact_paths
from model_lifecycle.registry.domain.evidence import Verdict

START = datetime(2024, 3, 1, tzinfo=UTC)


async def _ready(world, margin=0.01, **more):
    champion = await world.register("weak")
    await world.promote(champion)
    version = await world.register("good")
    await world.policy(
        shadow=hourly(comparisons=(Comparison("brier", margin),), **more),
    )
    return champion, version


async def _look(world, version, start, hours):
    return await monitor_traffic(
        world.registry,
        world.tenant,
        world.model,
        version,
        start=start,
        actor="tests",
        evidence_id=f"follow-{world.model}",
        now=datetime.fromisoformat(start) + timedelta(hours=hours, minutes=20),
    )


async def test_each_look_reads_what_is_new(world, start, monkeypatch):
    """Looks go on until the verdict falls, and no hour is read twice once its labels have come."""
    champion, version = await _ready(world, label_horizon_hours=1)
    read = []

    async def counting(store, hours, **where):
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
    assert looks[2].report.verdict is Verdict.PASS
    (evidence,) = await world.registry.list_evidence(world.tenant, world.model, version)
    assert evidence.verdict is Verdict.PASS
    assert len(read) == len(set(read)) == 35
    again = await _look(world, version, start, 40)
    assert (again.done, again.report.evidence_id) == (True, evidence.evidence_id)


async def test_days_are_judged_whole(world, start):
    """Where a day is a block, the day that is going on is no look yet."""
    champion, version = await _ready(world, block="day", min_blocks=10)
    await world.serve(champion, hours=40)

    looks = [await _look(world, version, start, hours) for hours in (20, 30, 47)]

    assert looks[0].report is None
    assert [look.report.counts["blocks"] for look in looks[1:]] == [1, 1]
    assert {look.until.hour for look in looks} == {0}


async def test_the_longest_a_test_may_take(world, start):
    """At the maximum duration the verdict is what it is, and the version stays where it is."""
    champion, version = await _ready(
        world, margin=0.0, max_duration_days=1, min_blocks=10, min_requests=2000, expected_blocks=20
    )
    await world.serve(champion, hours=40)

    look = await _look(world, version, start, 30)

    assert look.done
    assert look.report.verdict is Verdict.INCONCLUSIVE
    assert look.report.counts["blocks"] == 24
    assert "1 440 of the 2 000 requests" in look.report.sentence
    assert "the longest duration, one day, is over" in look.report.sentence


async def test_champion_that_changed(world, start):
    """A new champion ends the test: what was collected is about another one."""
    champion, version = await _ready(world)
    await world.serve(champion, hours=10)
    await _look(world, version, start, 10)
    await world.promote(await world.register("weak"))

    look = await _look(world, version, start, 11)

    assert look.done
    assert look.report.verdict is Verdict.INVALID
    assert "the champion changed meanwhile" in look.report.sentence


async def test_labels_that_are_corrected(world, start):
    """Corrected labels in a file of the same name and size are seen: the last look says what a
    test of all at once says."""
    champion, version = await _ready(
        world, label_horizon_hours=1, margin=0.0, min_blocks=10, min_requests=2000
    )
    await world.serve(champion, hours=20)
    first = await _look(world, version, start, 21)
    folder = artifact_paths.labels_partition(world.tenant, world.model, START)
    path = f"{folder}/part-00000.parquet"
    labels = pd.read_parquet(io.BytesIO(await world.registry.artifacts.get_bytes(path)))
    corrected = labels.assign(label=1 - labels["label"])
    await write_labels(world.registry.artifacts, world.tenant, world.model, START, corrected)

    second = await _look(world, version, start, 22)
    whole = await shadow_test_version(
        world.registry, world.tenant, world.model, version,
        start=start, end=(START + timedelta(hours=21)).isoformat(), actor="tests",
    )  # fmt: skip

    assert first.report.metrics[0].estimate > 0 > second.report.metrics[0].estimate
    assert second.report.metrics == whole.metrics
    assert second.report.counts == whole.counts


async def test_requests_that_are_replaced(world, start):
    """An hour that is written again with other answers is read again."""
    champion, version = await _ready(world, label_horizon_hours=1, margin=0.0)
    await world.serve(champion, hours=20)
    first = await _look(world, version, start, 21)
    await world.serve(champion, hours=20, change=lambda log: log[:30])

    second = await _look(world, version, start, 22)

    assert (first.report.counts["requests"], second.report.counts["requests"]) == (1200, 600)


async def test_a_changed_policy_starts_the_test_anew(world, start):
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

    assert before.report.counts["blocks"] == 30
    assert (at_the_change.report, at_the_change.done) == (None, False)
    assert soon.report.verdict is Verdict.INCONCLUSIVE
    assert soon.report.counts["blocks"] == 18
    assert soon.report.attempts == 2
    (check,) = [item for item in soon.report.checks if item.name == "policy unchanged"]
    assert "started anew at 2024-03-02T08:00:00+00:00, as attempt 2" in check.message
    assert late.done
    assert late.report.verdict is Verdict.PASS
    assert late.report.attempts == 2
    assert recompute(late.report.document()).agrees


async def test_another_gates_policy_does_not_start_it_anew(world, start):
    """Only the test's own part of the policy matters."""
    champion, version = await _ready(world, margin=0.0001)
    await world.serve(champion, hours=40)
    await _look(world, version, start, 20)
    await world.policy(
        validation=ValidationPolicy(comparisons=(Comparison("brier", 0.2),)),
        shadow=hourly(comparisons=(Comparison("brier", 0.0001),)),
    )

    look = await _look(world, version, start, 21)

    assert look.report.counts["blocks"] == 21
    assert look.report.attempts == 1
