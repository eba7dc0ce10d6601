"""A test that follows live traffic: one look after the other, until a verdict falls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from model_lifecycle.registry.domain.authorization import Principal
from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.stages import Gate

from ..data.label_maturity import labels_complete_until, next_block
from ..data.traffic import parse_day
from ..protocols import EvaluationRegistry
from ..report import GateReport
from .ab_test import ab_opened, judge_ab_test, plan_ab_test
from .plan import kept_plan, restart_plan, section_digest
from .shadow_setting import opened
from .shadow_test import judge_shadow_test, plan_shadow_look


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
    """Look at the traffic from ``start`` to the last whole block (hour or day, by the policy) whose
    labels have come, and judge it by ``gate``: shadow or ab_test.

    Only hours that no earlier look with this ``evidence_id`` has read are read. A PASS or FAIL ends
    the test, and so does the policy's longest duration, with whatever verdict there is then, or
    that the champion has changed meanwhile (INVALID). When the gate's part of the policy has
    changed since the last look, the test starts anew with the next block, as another attempt: data
    by which a policy may have been chosen do not count for it. Raises like ``shadow_test_version``
    and ``ab_test_version``.
    """
    opening, planning, judging = _steps(gate)
    found = await opening(registry, tenant_id, model_id, version, actor, evidence_id)
    at = now or datetime.now(UTC)
    if isinstance(found, GateReport):
        return MonitorResult(found, True, at)
    policy, begin = found.policy, parse_day(start, "start")
    kept = await kept_plan(registry.artifacts, found.case)
    if kept is not None and kept.section != section_digest(found.case):
        again = next_block(at, policy.block)
        kept = await restart_plan(registry.artifacts, kept, found.case, again)
    if kept is not None and kept.restarts:
        begin = kept.window[0]
    deadline = begin + policy.longest
    judgeable_until = labels_complete_until(at, policy.label_horizon_hours, policy.block)
    until, over = min(judgeable_until, deadline), judgeable_until >= deadline
    if kept is not None and kept.baseline != found.case.baseline:
        return MonitorResult(await judging(registry, kept, actor=actor), True, until)
    if until <= begin:
        return MonitorResult(None, False, until)
    try:
        plan = await planning(
            registry,
            tenant_id,
            model_id,
            version,
            start=begin.isoformat(),
            end=until.isoformat(),
            actor=actor,
            evidence_id=evidence_id,
        )
        if isinstance(plan, GateReport):
            return MonitorResult(plan, True, until)
        report = await judging(registry, plan, actor=actor, record=False)
    except InvalidDataset as error:
        if over or error.field != "traffic":
            raise
        return MonitorResult(None, False, until)
    decided = report.verdict in (Verdict.PASS, Verdict.FAIL)
    if not over and not decided:
        return MonitorResult(report, False, until)
    report = await judging(registry, plan, actor=actor, over=over and not decided)
    return MonitorResult(report, True, until)


def _steps(gate: Gate) -> tuple[Any, Any, Any]:
    """How a test is opened, planned and judged."""
    if gate is Gate.SHADOW:
        return opened, plan_shadow_look, judge_shadow_test
    if gate is Gate.AB_TEST:
        return ab_opened, plan_ab_test, judge_ab_test
    raise InvalidInput(
        f"only the gates shadow and ab_test follow traffic, not {gate}", field="gate"
    )
