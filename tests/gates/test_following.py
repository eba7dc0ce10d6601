"""A shadow test that follows live traffic."""

import io
from datetime import UTC, datetime, timedelta

import pandas as pd

from model_lifecycle.gates.following import follow_traffic
from model_lifecycle.gates.policies import Comparison, ShadowPolicy
from model_lifecycle.gates.shadow import shadow_test_version
from model_lifecycle.gates.traffic import read_partitions, write_labels
from model_lifecycle.registry.rules import paths
from model_lifecycle.registry.rules.evidence import Verdict

START = datetime(2024, 3, 1, tzinfo=UTC)


async def _ready(world, margin=0.01, **more):
    champion = await world.register("weak")
    await world.promote(champion)
    version = await world.register("good")
    await world.policy(
        shadow=ShadowPolicy(comparisons=(Comparison("brier", margin),), **more),
    )
    return champion, version


async def _look(world, version, start, hours):
    return await follow_traffic(
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

    monkeypatch.setattr("model_lifecycle.gates.shadow_days.read_partitions", counting)
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
    champion, version = await _ready(world, margin=0.0, max_duration_days=1)
    await world.serve(champion, hours=40)

    look = await _look(world, version, start, 30)

    assert look.done
    assert look.report.verdict is Verdict.INCONCLUSIVE
    assert look.report.counts["blocks"] == 24
    assert "24 of the 30 hours" in look.report.sentence
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
    champion, version = await _ready(world, label_horizon_hours=1, margin=0.0)
    await world.serve(champion, hours=20)
    first = await _look(world, version, start, 21)
    folder = paths.labels_partition(world.tenant, world.model, START)
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
