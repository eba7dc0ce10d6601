"""The unit of independence; the verdict does not depend on how the work is split."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from support.model_fixture import ModelFixture
from support.shadow_policies import hourly

from model_lifecycle.gates.data.traffic import Batch, Partition, batches, read_partitions
from model_lifecycle.gates.evaluation.mapped_shadow_test import (
    judge_shadow_test,
    plan_shadow_test,
    replay_day,
)
from model_lifecycle.gates.evaluation.plan import TrafficPlan
from model_lifecycle.gates.evaluation.recompute import compare_digests, recompute
from model_lifecycle.gates.evaluation.shadow_test import shadow_test_version
from model_lifecycle.gates.policy.promotion import Comparison, LatencyLimit, Limit, SliceLimit
from model_lifecycle.gates.protocols import ArtifactFiles
from model_lifecycle.gates.report import GateReport
from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.model_registry import ModelRegistry

MARGIN = (Comparison("brier", 0.01),)
WINDOW = {"actor": "tests"}


@pytest.fixture
async def served(world: ModelFixture) -> tuple[int, str]:
    """A candidate, and the end of forty hours that the champion served."""
    champion = await world.register("weak")
    await world.promote(champion)
    version = await world.register("good")
    rng = np.random.default_rng(15)
    end = await world.serve(
        champion,
        change=lambda log: log.assign(user=[f"u{n}" for n in rng.integers(0, 300, len(log))]),
    )
    return version, end


def _where(world: ModelFixture, version: int) -> tuple[ModelRegistry, str, str, int]:
    return world.registry, world.tenant, world.model, version


def _numbers(report: GateReport) -> dict[str, Any]:
    """All that follows from the traffic; latencies of replay depend on the clock."""
    document = report.document()
    for part in (document["detail"]["sums"]["histograms"], document["detail"]["latency"]):
        for name in [name for name in part if name.endswith("replayed")]:
            del part[name]
    return {name: document[name] for name in ("verdict", "sentence", "metrics", "counts", "detail")}


@pytest.mark.parametrize(
    "policy",
    [
        {"comparisons": MARGIN, "unit": "request"},
        {"comparisons": (Comparison("accuracy", 0.02),), "unit": "request"},
        {"comparisons": MARGIN, "unit": "cluster", "cluster": "user"},
        {"comparisons": MARGIN, "slices": (SliceLimit("region", "brier", maximum=0.24),)},
    ],
)
async def test_mapped_is_the_same_to_the_bit(
    world: ModelFixture, served: tuple[int, str], start: str, policy: dict[str, Any]
) -> None:
    """Days replayed on their own, last one first, give the report of the single process; and the
    report gives its verdict again."""
    version, end = served
    await world.policy(shadow=hourly(**policy))
    where = _where(world, version)
    window: dict[str, Any] = {"start": start, "end": end, "actor": "tests"}
    alone = await shadow_test_version(*where, **window, evidence_id=f"alone-{world.model}")
    plan = await plan_shadow_test(*where, **window, evidence_id=f"mapped-{world.model}")
    plan = TrafficPlan.from_document(json.loads(json.dumps(plan.document())))
    for day in reversed(plan.days):
        await replay_day(world.registry, plan, day, actor="tests")

    mapped = await judge_shadow_test(world.registry, plan, actor="tests")

    assert mapped.verdict is Verdict.PASS, mapped.sentence
    assert json.dumps(_numbers(alone), sort_keys=True) == json.dumps(
        _numbers(mapped), sort_keys=True
    )
    again = recompute(json.loads(json.dumps(mapped.document())))
    assert again.agrees, again.differences
    assert (alone.attempts, mapped.attempts) == (1, 2)


async def test_resuming_reads_what_is_missing(
    world: ModelFixture, served: tuple[int, str], start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that was cut off reads only the days that it had not finished."""
    version, end = served
    await world.policy()
    where = _where(world, version)
    window: dict[str, Any] = {"start": start, "end": end, "actor": "tests"}
    plan = await plan_shadow_test(*where, **window, evidence_id=f"cut-off-{world.model}")
    await replay_day(world.registry, plan, plan.days[0], actor="tests")
    read: list[str] = []

    async def counting(store: ArtifactFiles, hours: Sequence[Partition], **where: Any) -> Batch:
        read.extend(hour.name for hour in hours)
        return await read_partitions(store, hours, **where)

    monkeypatch.setattr("model_lifecycle.gates.evaluation.shadow_day.read_partitions", counting)

    report = await shadow_test_version(*where, **window, evidence_id=f"cut-off-{world.model}")

    assert {name[:10] for name in read} == set(plan.days[1:])
    assert report.counts["judged"] == 2400


@pytest.fixture
def hour_by_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each hour is a batch of its own, however small."""
    monkeypatch.setattr(
        "model_lifecycle.gates.evaluation.shadow_day.batches", partial(batches, most=1)
    )


async def test_size_of_batches(
    world: ModelFixture, served: tuple[int, str], start: str, request: pytest.FixtureRequest
) -> None:
    """Hours replayed one by one give the sums and the verdict of those replayed together."""
    version, end = served
    await world.policy()
    where = _where(world, version)
    window: dict[str, Any] = {"start": start, "end": end, "actor": "tests"}
    run_concurrently = await shadow_test_version(*where, **window)
    request.getfixturevalue("hour_by_hour")

    alone = await shadow_test_version(*where, **window)

    assert alone.metrics == run_concurrently.metrics
    assert alone.detail["sums"]["blocks"] == run_concurrently.detail["sums"]["blocks"]
    assert alone.counts["replayed"] == 2400


@pytest.mark.usefixtures("hour_by_hour")
@pytest.mark.parametrize(
    ("latency", "timed"), [((), 2 * 4), ((LatencyLimit(0.5, maximum_ms=1000),), 40 * 24)]
)
async def test_requests_timed(
    world: ModelFixture,
    served: tuple[int, str],
    start: str,
    latency: tuple[LatencyLimit, ...],
    timed: int,
) -> None:
    """Single requests are timed of every batch where the policy limits latency, else a few a day,
    for the report."""
    version, end = served
    await world.policy(shadow=hourly(comparisons=MARGIN, latency=latency))

    report = await shadow_test_version(*_where(world, version), start=start, end=end, actor="tests")

    measured = report.detail["latency"]
    assert (measured["champion replayed"]["n"], measured["challenger replayed"]["n"]) == (
        timed,
        timed,
    )


async def test_policy_changed_since_the_plan(
    world: ModelFixture, served: tuple[int, str], start: str
) -> None:
    """Sums of one policy are not judged by another."""
    version, end = served
    await world.policy()
    plan = await plan_shadow_test(*_where(world, version), start=start, end=end, actor="tests")
    await world.policy(shadow=hourly(comparisons=(Comparison("brier", 0.02),)))

    with pytest.raises(InvalidInput, match="changed since"):
        await replay_day(world.registry, plan, plan.days[0], actor="tests")


async def test_a_report_that_was_touched(
    world: ModelFixture, served: tuple[int, str], start: str
) -> None:
    """A report whose numbers were changed does not agree; nor does traffic that was."""
    version, end = served
    await world.policy(shadow=hourly(comparisons=MARGIN, limits=(Limit("errors", maximum=0.05),)))
    report = await shadow_test_version(*_where(world, version), start=start, end=end, actor="tests")
    document = json.loads(json.dumps(report.document()))
    sound = recompute(document)
    reached = await compare_digests(world.registry.artifacts, document)
    document["verdict"] = "FAIL"
    document["reproduction"]["partitions"][3]["digest"] = "sha256:0"

    touched = recompute(document)
    read, stated, problems = await compare_digests(world.registry.artifacts, document)

    assert sound.agrees, sound.differences
    assert reached == (40, 40, [])
    assert [item["rows"] for item in document["reproduction"]["labels"]] == [24 * 60, 16 * 60]
    assert touched.differences[0] == "the report states FAIL, its numbers give PASS"
    assert (read, stated, len(problems)) == (40, 40, 1)
    with pytest.raises(InvalidInput, match="no report"):
        recompute({"gate": "shadow"})
