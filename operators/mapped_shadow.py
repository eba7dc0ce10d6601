"""The shadow gate mapped over the days of its traffic, for windows too large for one task.

::

    plan ─▶ replay [one task a day] ─▶ judge

Each day's sums are kept beside the report, so that a task that is tried again reads only what is
missing; ``judge`` adds them up. The verdict is that of ``ShadowTestOperator``, to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup

from model_lifecycle.registry.domain.identifiers import parse_version

from .base import LifecycleOperator
from .gate_operator import GateOperator, TrafficGateOperator
from .hooks.model_registry import ModelRegistryHook
from .runtime.task_identity import evidence_id, operation_id

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.gates.report import GateReport
    from model_lifecycle.registry.model_registry import ModelRegistry


class PlanShadowTestOperator(TrafficGateOperator):
    """Fixes the window, the champion and the age of labels; returns one plan for each day."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        actor = self.actor(context)
        evidence = evidence_id(context, self.version, self.start, self.end)

        async def plan_days(registry: ModelRegistry) -> list[dict[str, Any]]:
            from model_lifecycle.gates.evaluation.mapped_shadow_test import plan_shadow_test

            plan = await plan_shadow_test(
                registry,
                self.tenant_id,
                self.model_id,
                parse_version(self.version),
                start=self.start,
                end=self.end,
                actor=actor,
                evidence_id=evidence,
            )
            return [{"plan": plan.document(), "day": day} for day in plan.days]

        parts = self.call_registry(plan_days)
        self.log.info("%d days of traffic to replay", len(parts))
        return parts


class ReplayDayOperator(LifecycleOperator):
    """Replays one day of a plan. A retry continues; clearing the task replays the day anew.

    :param part: what ``PlanShadowTestOperator`` returned for the day.
    """

    template_fields: Sequence[str] = (*LifecycleOperator.template_fields, "part")

    def __init__(self, *, part: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.part = part

    def execute(self, context: Context) -> dict[str, Any]:
        actor, operation = self.actor(context), operation_id(context)

        async def replay(registry: ModelRegistry) -> dict[str, Any]:
            from model_lifecycle.gates.evaluation.mapped_shadow_test import replay_day
            from model_lifecycle.gates.evaluation.plan import TrafficPlan

            plan = TrafficPlan.from_document(self.part["plan"])
            return await replay_day(
                registry, plan, self.part["day"], actor=actor, operation_id=operation
            )

        counts = self.call_registry(replay)
        self.log.info("%(day)s: %(requests)d requests", counts)
        return counts


class JudgeShadowTestOperator(GateOperator):
    """Adds the sums of all days, judges them and records the verdict.

    A retry gives the evidence that an earlier try recorded; clearing the task judges again.

    :param parts: what ``PlanShadowTestOperator`` returned.
    """

    template_fields: Sequence[str] = (*GateOperator.template_fields, "parts")

    def __init__(self, *, parts: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parts = parts

    def execute(self, context: Context) -> dict[str, Any]:
        from model_lifecycle.gates.evaluation.plan import TrafficPlan

        plan = TrafficPlan.from_document(self.parts[0]["plan"])
        actor, evidence = self.actor(context), evidence_id(context, plan.evidence_id)

        async def judge(registry: ModelRegistry) -> GateReport:
            from model_lifecycle.gates.evaluation.mapped_shadow_test import judge_shadow_test

            return await judge_shadow_test(registry, plan, actor=actor, evidence_id=evidence)

        return self.publish_report_of(context, judge)


def mapped_shadow_test(
    *,
    tenant_id: str,
    model_id: str,
    version: int | str,
    start: str | date,
    end: str | date,
    group_id: str = "shadow_test",
    model_registry_conn_id: str = ModelRegistryHook.default_conn_name,
    max_active_days: int | None = None,
) -> TaskGroup:
    """The three tasks as a group; the task ``{group_id}.judge`` returns what ``ShadowTestOperator``
    does. ``max_active_days`` is how many days of one run are replayed at a time."""
    model: dict[str, Any] = {
        "tenant_id": tenant_id,
        "model_id": model_id,
        "model_registry_conn_id": model_registry_conn_id,
    }
    with TaskGroup(group_id) as group:
        plan = PlanShadowTestOperator(
            task_id="plan", version=version, start=start, end=end, **model
        )
        replay = ReplayDayOperator.partial(
            task_id="replay", max_active_tis_per_dagrun=max_active_days, **model
        ).expand(part=plan.output)
        judge = JudgeShadowTestOperator(
            task_id="judge", version=version, parts=plan.output, **model
        )
        replay >> judge
    return group
