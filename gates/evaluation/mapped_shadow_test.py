"""A shadow test in parts that many processes do: plan, replay each day, judge.

Its sums equal those of :func:`.shadow_test.shadow_test_version`, and so does its verdict. A day
is the smallest part, since a request may be repeated within one.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from model_lifecycle.registry.domain.authorization import Principal
from model_lifecycle.registry.domain.stages import Gate

from ..protocols import EvaluationRegistry
from ..report import GateReport
from .context import EvaluationRequest
from .plan import TrafficPlan, recorded_plan
from .record import find_report
from .shadow_day import sum_day
from .shadow_test import ShadowTest


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
) -> TrafficPlan:
    """The arguments of each day's task. The plan is stored beside the report: the same
    ``evidence_id`` and window again give the same plan, and so does evidence that was recorded by
    it. Raises like :func:`.shadow_test.shadow_test_version`."""
    request = EvaluationRequest.of(
        Gate.SHADOW, tenant_id, model_id, version, actor=actor, evidence_id=evidence_id
    )
    recorded = await find_report(registry, request)
    if recorded is not None:
        return await recorded_plan(registry.artifacts, recorded)
    test = await ShadowTest.open(registry, request)
    test.require_window(start, end)
    return await test.plan(start, end)


async def replay_day(
    registry: EvaluationRegistry,
    plan: TrafficPlan,
    day: str,
    *,
    actor: Principal | str,
    operation_id: str | None = None,
) -> dict[str, Any]:
    """Replay one day of the plan and store its sums; a few counts, for a log.

    The same ``operation_id`` again continues its own sums; another one replays the day again.
    """
    if await find_report(registry, ShadowTest.request_of(plan, actor=actor)) is not None:
        return {"day": day, "requests": 0}
    test = await ShadowTest.resume(registry, plan, actor=actor)
    replay = await test.load_models(plan)
    sums = await sum_day(registry.artifacts, plan, replay, day, operation_id=operation_id)
    return {"day": day, "requests": sums.counts["requests"], "judged": sums.counts["judged"]}


async def judge_shadow_test(
    registry: EvaluationRegistry,
    plan: TrafficPlan,
    *,
    actor: Principal | str,
    evidence_id: str | None = None,
) -> GateReport:
    """Add the days' sums, judge them and record the verdict. A day that no task has replayed is
    replayed here. The evidence has the plan's id, or ``evidence_id``, to judge the sums again."""
    request = ShadowTest.request_of(plan, actor=actor, evidence_id=evidence_id)
    recorded = await find_report(registry, request)
    if recorded is not None:
        return recorded
    test = await ShadowTest.resume(registry, plan, actor=actor, evidence_id=evidence_id)
    return await test.conclude(plan, await test.sum_days(plan))
