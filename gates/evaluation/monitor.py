"""Monitor live traffic: look after each block until the test has a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from model_lifecycle.registry.domain.authorization import Principal
from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.stages import Gate

from ..data.traffic import parse_day
from ..policy.label_maturity import labels_complete_until, next_block
from ..protocols import EvaluationRegistry
from ..report import GateReport
from .ab_test import ABTest
from .context import EvaluationRequest
from .plan import load_plan, restart_plan, section_digest
from .record import find_report, record_verdict
from .shadow_test import ShadowTest
from .traffic_gate import TrafficGate


@dataclass(frozen=True)
class MonitorResult:
    """One look. ``report`` is None while there is no traffic yet; ``done`` says that it is recorded
    as evidence. ``until`` is up to when requests were old enough to be judged."""

    report: GateReport | None
    done: bool
    until: datetime


async def monitor_traffic(
    registry: EvaluationRegistry,
    tenant_id: str,
    model_id: str,
    version: int,
    *,
    start: str | date,
    actor: Principal | str,
    evidence_id: str,
    gate: Gate = Gate.SHADOW,
    now: datetime | None = None,
) -> MonitorResult:
    """Judge the traffic from ``start`` to the last complete block (hour or day, by the policy)
    whose labels have arrived, by ``gate``: shadow or ab_test.

    Only hours that no earlier look with this ``evidence_id`` has read are read. A PASS or FAIL ends
    the test, and so does the policy's longest duration, with whatever verdict there is then, or
    that the champion has changed meanwhile (INVALID). When the gate's part of the policy has
    changed since the last look, the test restarts with the next block, as another attempt: data
    by which a policy may have been chosen do not count for it. Raises like ``shadow_test_version``
    and ``ab_test_version``.
    """
    gate_type = _gate_type(gate)
    request = EvaluationRequest.of(
        gate, tenant_id, model_id, version, actor=actor, evidence_id=evidence_id
    )
    current = now or datetime.now(UTC)
    recorded = await find_report(registry, request)
    if recorded is not None:
        return MonitorResult(recorded, True, current)
    test = await gate_type.open(registry, request)
    policy, begin = test.policy, parse_day(start, "start")
    plan = await load_plan(registry.artifacts, request)
    if plan is not None and plan.section != section_digest(test.context):
        plan = await restart_plan(plan, test.context, next_block(current, policy.block))
    if plan is not None and plan.restarts:
        begin = plan.window[0]
    deadline = begin + policy.longest
    labels_complete = labels_complete_until(current, policy.label_horizon_hours, policy.block)
    until, max_duration_reached = min(labels_complete, deadline), labels_complete >= deadline
    if plan is not None and plan.baseline != test.context.baseline:
        planned = await gate_type.resume(registry, plan, actor=actor)
        report = await planned.conclude(plan, await planned.sum_days(plan))
        return MonitorResult(report, True, until)
    if until <= begin:
        return MonitorResult(None, False, until)
    try:
        plan = await test.plan(begin.isoformat(), until.isoformat())
        sums = await test.sum_days(plan)
        report = await test.judge(plan, sums)
    except InvalidDataset as error:
        if max_duration_reached or error.field != "traffic":
            raise
        return MonitorResult(None, False, until)
    if report.verdict not in (Verdict.PASS, Verdict.FAIL):
        if not max_duration_reached:
            return MonitorResult(report, False, until)
        report = await test.judge(plan, sums, max_duration_reached=True)
    return MonitorResult(await record_verdict(test.context, report), True, until)


def _gate_type(gate: Gate) -> type[TrafficGate[Any, Any]]:
    for gate_type in (ShadowTest, ABTest):
        if gate is gate_type.gate:
            return gate_type
    raise InvalidInput(
        f"only the gates shadow and ab_test follow traffic, not {gate}", field="gate"
    )
