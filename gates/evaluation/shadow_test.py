"""The shadow gate: both models on the champion's recorded requests, block by block.

One process does it in :func:`shadow_test_version`; many do it by :func:`plan_shadow_test`, then
:func:`replay_day` for each day, then :func:`judge_shadow_test`. Both give the same sums, and so the
same verdict. A day is the smallest part, since a request may be repeated within one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from model_lifecycle.registry.domain.authorization import Principal

from ..aggregates.replay import ReplayAggregate
from ..data.traffic import partitions
from ..protocols import EvaluationRegistry
from ..report import GateReport
from .plan import TrafficPlan, keep_plan
from .replay import Replay, block_name
from .shadow_day import day_tally
from .shadow_setting import judged, opened, planned, ready, require_window, setting

Progress = Callable[[int, int, str], None]


async def shadow_test_version(
    registry: EvaluationRegistry,
    tenant_id: str,
    model_id: str,
    version: int,
    *,
    start: str | date,
    end: str | date,
    actor: Principal | str,
    evidence_id: str | None = None,
    progress: Progress | None = None,
) -> GateReport:
    """Judge a version on the recorded traffic of ``[start, end)`` and record the verdict.

    ``start`` and ``end`` are ISO dates or times, UTC. Compared is with the version in production
    now, on the requests it answered; with none, the policy's limits are judged on all recorded
    requests. Only some hours' requests (one, or 16 MB of small ones), the next ones and one day's
    labels are in memory at a time; days that an earlier try with the same ``evidence_id`` finished
    are not read again. ``progress`` is called with (block, blocks, name) when a block starts. The
    same ``evidence_id`` again returns what was recorded.

    Raises InvalidDataset (nothing is recorded) when there is no traffic, or its columns do not
    match a model's signature; InvalidInput for a policy without a shadow section, and for a window
    that is shorter than the policy's ``min_duration_hours`` or ``min_blocks``.
    """
    plan = await plan_shadow_test(
        registry,
        tenant_id,
        model_id,
        version,
        start=start,
        end=end,
        actor=actor,
        evidence_id=evidence_id,
    )
    if isinstance(plan, GateReport):
        return plan
    found = await setting(registry, plan, actor)
    if isinstance(found, GateReport):
        return found
    replay = await ready(registry, found, plan)
    announce = await _announcing(registry, plan, replay, progress)
    total = ReplayAggregate(identity=plan.identity)
    for day in plan.days:
        total.absorb(await day_tally(registry, plan, replay, day, starting=announce))
    return await judged(registry, found, plan, total)


async def plan_shadow_test(
    registry: EvaluationRegistry,
    tenant_id: str,
    model_id: str,
    version: int,
    *,
    start: str | date,
    end: str | date,
    actor: Principal | str,
    evidence_id: str | None = None,
) -> TrafficPlan | GateReport:
    """What each day's task needs; or the report, where this evidence id has one. The plan is kept
    beside the report: asked again, it is the same. Raises like :func:`shadow_test_version`."""
    found = await opened(registry, tenant_id, model_id, version, actor, evidence_id)
    if isinstance(found, GateReport):
        return found
    require_window(found.policy, start, end)
    return await keep_plan(registry.artifacts, await planned(registry, found, start, end))


async def plan_shadow_look(
    registry: EvaluationRegistry,
    tenant_id: str,
    model_id: str,
    version: int,
    *,
    start: str | date,
    end: str | date,
    actor: Principal | str,
    evidence_id: str | None = None,
) -> TrafficPlan | GateReport:
    """The plan of a look at live traffic: like :func:`plan_shadow_test`, of a window that may be
    too short for a verdict yet."""
    found = await opened(registry, tenant_id, model_id, version, actor, evidence_id)
    if isinstance(found, GateReport):
        return found
    return await keep_plan(registry.artifacts, await planned(registry, found, start, end))


async def replay_day(
    registry: EvaluationRegistry,
    plan: TrafficPlan,
    day: str,
    *,
    actor: Principal | str,
    operation_id: str | None = None,
) -> dict[str, Any]:
    """Replay one day of the plan and keep its sums; a few counts, for a log.

    The same ``operation_id`` again continues its own sums; another one replays the day anew.
    """
    found = await setting(registry, plan, actor)
    if isinstance(found, GateReport):
        return {"day": day, "requests": 0}
    replay = await ready(registry, found, plan)
    tally = await day_tally(registry, plan, replay, day, operation_id=operation_id)
    return {"day": day, "requests": tally.counts["requests"], "judged": tally.counts["judged"]}


async def judge_shadow_test(
    registry: EvaluationRegistry,
    plan: TrafficPlan,
    *,
    actor: Principal | str,
    evidence_id: str | None = None,
    record: bool = True,
    over: bool = False,
) -> GateReport:
    """Add the days' sums, judge them and record the verdict. A day that no task has replayed is
    replayed here. The evidence has the plan's id, or ``evidence_id``, to judge the sums once more.
    Without ``record`` it is a look: nothing is written to the ledger. ``over`` says that the test
    has reached its longest duration."""
    found = await setting(
        registry, replace(plan, evidence_id=evidence_id or plan.evidence_id), actor
    )
    if isinstance(found, GateReport):
        return found
    replay = await ready(registry, found, plan)
    total = ReplayAggregate(identity=plan.identity)
    for day in plan.days:
        total.absorb(await day_tally(registry, plan, replay, day))
    return await judged(registry, found, plan, total, record=record, over=over)


async def _announcing(
    registry: EvaluationRegistry, plan: TrafficPlan, replay: Replay, progress: Progress | None
) -> Callable[[datetime], None] | None:
    if progress is None:
        return None
    first, last = plan.window
    hours = await partitions(registry.artifacts, plan.tenant_id, plan.model_id, first, last)
    blocks = len({block_name(replay.block, hour.hour) for hour in hours})
    begun: set[str] = set()
    told = progress

    def announce(hour: datetime) -> None:
        name = block_name(replay.block, hour)
        if name not in begun:
            begun.add(name)
            told(len(begun), blocks, name)

    return announce
