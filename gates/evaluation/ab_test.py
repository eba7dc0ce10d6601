"""The A/B gate: champion and challenger each answer a share of live traffic, and outcomes tell.

A unit (a user) stays in its arm; assignment is by hash (:mod:`.assignment`). The per-unit sums of
the window are in memory, requests some hours at a time; each day's sums are kept beside the report,
so that neither a retry nor the next look reads them again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import date, datetime

from model_lifecycle.registry.domain.authorization import Principal
from model_lifecycle.registry.domain.canonical_json import digest
from model_lifecycle.registry.domain.errors import ArtifactNotFound, InvalidDataset, InvalidInput
from model_lifecycle.registry.domain.stages import Gate

from ..aggregates.arms import ARMS, PARTS, ArmAggregate, exposure
from ..aggregates.replay import named
from ..checks.ab_test import arm_checks
from ..checks.common import KEPT_CHECKS, duration_check, restart_check
from ..inference.two_sample import judge_arms
from ..policy.promotion import ABPolicy
from ..protocols import EvaluationRegistry
from ..report import Check, GateReport, MetricRow
from .ab_day import day_units
from .context import EvaluationContext, conclude, load_context, look, read_report
from .plan import TrafficPlan, fixed_plan, keep_plan
from .prior_attempts import attempts_on_window


async def ab_test_version(
    registry: EvaluationRegistry,
    tenant_id: str,
    model_id: str,
    version: int,
    *,
    start: str | date,
    end: str | date,
    actor: Principal | str,
    evidence_id: str | None = None,
) -> GateReport:
    """Judge a version by the outcomes of ``[start, end)`` and record the verdict.

    Requests of the version in production with the role ``champion``, and of this version with the
    role ``challenger``, are compared by the policy's section ``ab_test``. The same ``evidence_id``
    again returns what was recorded; days that an earlier try finished are not read again.

    Raises InvalidInput without a champion or such a section, InvalidDataset without traffic of
    both versions or without a column that the policy names; nothing is recorded then.
    """
    plan = await plan_ab_test(
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
    return await judge_ab_test(registry, plan, actor=actor)


@dataclass(frozen=True)
class ABSetting:
    """An A/B test's case, with its policy."""

    case: EvaluationContext
    policy: ABPolicy

    @property
    def identity(self) -> str:
        """What sums have to have in common to be added."""
        champion = self.case.champion
        return digest(
            {
                "policy": self.case.policy.fingerprint,
                "parts": PARTS,
                "challenger": self.case.version.bundle_digest,
                "champion": champion.bundle_digest if champion else None,
            }
        )


async def ab_opened(
    registry: EvaluationRegistry,
    tenant_id: str,
    model_id: str,
    version: int,
    actor: Principal | str,
    evidence_id: str | None,
) -> ABSetting | GateReport:
    """The test as it is to be made now, or the report of evidence that has this id. Raises
    InvalidInput without a champion or without a section of the policy."""
    case = await load_context(
        registry, Gate.AB_TEST, tenant_id, model_id, version, actor=actor, evidence_id=evidence_id
    )
    if isinstance(case, GateReport):
        return case
    policy = ABPolicy.from_document(case.policy.ab_test)
    if case.champion is None:
        raise InvalidInput(
            "an A/B test compares with the version in production, and there is none",
            field="policy.ab_test",
        )
    return ABSetting(case, policy)


async def plan_ab_test(
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
    """The window and the champion, fixed and kept beside the report; or the report, where this
    evidence id has one. Raises like :func:`ab_test_version`."""
    found = await ab_opened(registry, tenant_id, model_id, version, actor, evidence_id)
    if isinstance(found, GateReport):
        return found
    plan, _ = await fixed_plan(
        registry.artifacts,
        found.case,
        start,
        end,
        horizon_hours=found.policy.label_horizon_hours,
        identity=found.identity,
    )
    return await keep_plan(registry.artifacts, plan)


async def judge_ab_test(
    registry: EvaluationRegistry,
    plan: TrafficPlan,
    *,
    actor: Principal | str,
    record: bool = True,
    over: bool = False,
) -> GateReport:
    """Count the plan's days, judge them and record the verdict. Without ``record`` it is a look:
    nothing is written to the ledger. ``over`` says that the test has reached its longest duration.

    The champion is that of the plan; if it has changed since, the verdict is INVALID. Raises
    InvalidInput when the policy has changed, InvalidDataset without traffic of both versions.
    """
    found = await ab_opened(
        registry, plan.tenant_id, plan.model_id, plan.version, actor, plan.evidence_id
    )
    if isinstance(found, GateReport):
        return found
    case, policy, store = found.case, found.policy, registry.artifacts
    if case.baseline != plan.baseline and plan.baseline is not None:
        champion = await registry.get_version(case.tenant, case.model, plan.baseline)
        case = replace(case, champion=champion)
    if ABSetting(case, policy).identity != plan.identity or case.champion is None:
        raise InvalidInput(
            "the policy or a model has changed since this A/B test was planned; plan it again",
            field="plan",
        )
    versions = dict(zip(ARMS, (case.champion.version, case.version.version), strict=True))
    units = ArmAggregate()
    for day in plan.days:
        units.absorb(await day_units(store, plan, policy, versions, day))
    if not units.counts["requests"] and not units.counts["immature"]:
        raise _no_traffic(case, plan.start, plan.end)
    looks = await asyncio.to_thread(units.looks, policy)
    rows, shown = judge_arms(policy, looks)
    attempts = await attempts_on_window(registry, case, plan.start, plan.end)
    arms = {f"{who}_units": looks[-1][who]["units"] if looks else 0 for who in ARMS}
    finish = conclude if record else look
    return await finish(
        registry,
        replace(case, attempts=max(case.attempts, attempts) + len(plan.restarts)),
        policy.document(),
        rows,
        (
            *arm_checks(policy, looks, units.counts),
            *await _salt_check(registry, case, policy),
            *duration_check(policy.longest, over),
            *restart_check([item.start for item in plan.restarts], plan.start),
        ),
        counts={**dict(sorted(units.counts.items())), **arms, "days": len(looks)},
        reproduction={
            "start": plan.start,
            "end": plan.end,
            "mature_until": min(
                datetime.fromisoformat(plan.mature_until), plan.window[1]
            ).isoformat(),
            "identity": plan.identity,
            "partitions": named(units.sources),
        },
        detail={
            "looks": shown,
            "exposure": await asyncio.to_thread(exposure, units, policy),
            "sums": {"looks": looks, "counts": dict(sorted(units.counts.items()))},
        },
    )


def recomputed_rows(report: GateReport) -> tuple[tuple[MetricRow, ...], tuple[Check, ...]]:
    """Rows and checks from the sums in the report."""
    policy = ABPolicy.from_document(report.policy)
    sums = report.detail["sums"]
    rows, _ = judge_arms(policy, sums["looks"])
    seen = [check for check in report.checks if check.name in KEPT_CHECKS]
    return rows, (*arm_checks(policy, sums["looks"], sums["counts"]), *seen)


async def _salt_check(
    registry: EvaluationRegistry, case: EvaluationContext, policy: ABPolicy
) -> list[Check]:
    """Whether A/B tests of other versions split their units by the same salt: then the same units
    see the new version each time, and carry over what the earlier one did to them."""
    if policy.salt is None:
        return []
    for version in await registry.list_versions(case.tenant, case.model):
        if version.version == case.version.version:
            continue
        for item in await registry.list_evidence(case.tenant, case.model, version.version):
            if item.gate is not Gate.AB_TEST or item.report_uri is None:
                continue
            try:
                earlier = await read_report(registry, item.report_uri)
            except (ArtifactNotFound, InvalidInput):
                continue
            if earlier.policy.get("salt") == policy.salt:
                return [
                    Check(
                        "salt",
                        False,
                        f"the A/B test of version {version.version} split its units by the same "
                        f"salt {policy.salt!r}: the same units see the new version again; use "
                        "another salt for each test",
                        None,
                    )
                ]
    return [Check("salt", True, f"no test of another version used the salt {policy.salt!r}", None)]


def _no_traffic(case: EvaluationContext, start: str, end: str) -> InvalidDataset:
    return InvalidDataset(
        f"there is no traffic of versions {case.baseline} and {case.version.version} of "
        f"{case.model} between {start} and {end}",
        field="traffic",
    )
