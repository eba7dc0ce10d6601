"""A shadow test that follows live traffic: one look after the other, until a verdict falls."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from model_lifecycle.registry.rules.errors import ArtifactNotFound, InvalidDataset
from model_lifecycle.registry.rules.evidence import Verdict
from model_lifecycle.registry.rules.principals import Principal

from .ports import GateRegistry
from .report import GateReport
from .shadow import judge_shadow_test, plan_shadow_test
from .shadow_plan import PLAN_JSON, ShadowPlan
from .shadow_setting import opened
from .traffic import parse_day


@dataclass(frozen=True)
class Followed:
    """One look. ``report`` is None while there is no traffic yet; ``done`` says that it is recorded
    as evidence. ``until`` is up to when requests were old enough to be judged."""

    report: GateReport | None
    done: bool
    until: datetime


async def follow_traffic(
    registry: GateRegistry,
    tenant_id: str,
    model_id: str,
    version: int,
    *,
    start: str,
    actor: Principal | str,
    evidence_id: str,
    now: datetime | None = None,
) -> Followed:
    """Look at the traffic from ``start`` to the last full hour whose labels have come.

    Only hours that no earlier look with this ``evidence_id`` has read are read. A PASS or FAIL ends
    the test, and so does the policy's ``max_duration_days``, with whatever verdict there is then,
    or that the champion has changed meanwhile (INVALID). Raises like ``shadow_test_version``.
    """
    found = await opened(registry, tenant_id, model_id, version, actor, evidence_id)
    at = now or datetime.now(UTC)
    if isinstance(found, GateReport):
        return Followed(found, True, at)
    begin = parse_day(start, "start")
    horizon = timedelta(hours=found.policy.label_horizon_hours)
    deadline = begin + timedelta(days=found.policy.max_duration_days)
    until = min((at - horizon).replace(minute=0, second=0, microsecond=0), deadline)
    final = at - horizon >= deadline
    kept = await _kept(registry, tenant_id, model_id, version, evidence_id, until)
    if kept is not None and kept.baseline != found.case.baseline:
        return Followed(await judge_shadow_test(registry, kept, actor=actor), True, until)
    if until <= begin:
        return Followed(None, False, until)
    try:
        plan = await plan_shadow_test(
            registry,
            tenant_id,
            model_id,
            version,
            start=start,
            end=until.isoformat(),
            actor=actor,
            evidence_id=evidence_id,
        )
        if isinstance(plan, GateReport):
            return Followed(plan, True, until)
        report = await judge_shadow_test(registry, plan, actor=actor, record=False)
    except InvalidDataset as error:
        if final or error.field != "traffic":
            raise
        return Followed(None, False, until)
    if not final and report.verdict not in (Verdict.PASS, Verdict.FAIL):
        return Followed(report, False, until)
    return Followed(await judge_shadow_test(registry, plan, actor=actor), True, until)


async def _kept(
    registry: GateRegistry,
    tenant_id: str,
    model_id: str,
    version: int,
    evidence_id: str,
    until: datetime,
) -> ShadowPlan | None:
    """The plan of the last look."""
    at = until.isoformat()
    where = ShadowPlan(
        tenant_id, model_id, version, evidence_id, None, at, at, at, "", "", ()
    ).folder
    try:
        content = await registry.artifacts.get_bytes(f"{where}/{PLAN_JSON}")
        return ShadowPlan.from_document(json.loads(content))
    except (ArtifactNotFound, ValueError):
        return None
