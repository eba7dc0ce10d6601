"""The A/B gate: champion and challenger each answer a share of live traffic; outcomes decide.

A unit (a user) stays in its arm; assignment is by hash (:mod:`.assignment`). The per-unit sums of
the window are in memory, requests some hours at a time; each day's sums are stored beside the
report, so that neither a retry nor the next look reads them again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from model_lifecycle.registry.domain.authorization import Principal
from model_lifecycle.registry.domain.canonical_json import digest
from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput
from model_lifecycle.registry.domain.models import VersionMetadata
from model_lifecycle.registry.domain.stages import Gate

from ..aggregates.arms import ARMS, PARTS, ArmAggregate, exposure
from ..aggregates.replay import named
from ..checks.ab_test import arm_checks
from ..checks.common import RECORDED_CHECKS
from ..inference.two_sample import judge_arms
from ..policy.promotion import ABPolicy
from ..protocols import EvaluationRegistry
from ..report import Check, GateReport, MetricRow
from .ab_day import sum_day
from .context import EvaluationContext, EvaluationRequest
from .plan import TrafficPlan
from .prior_attempts import PriorEvidence
from .record import Judgement, find_report
from .traffic_gate import TrafficGate


@dataclass(frozen=True)
class ABTest(TrafficGate[ABPolicy, ArmAggregate]):
    """An A/B test of one version."""

    gate: ClassVar[Gate] = Gate.AB_TEST
    title: ClassVar[str] = "A/B test"

    champion: VersionMetadata

    @classmethod
    def of(cls, context: EvaluationContext) -> ABTest:
        policy = ABPolicy.from_document(context.policy.ab_test)
        if context.champion is None:
            raise InvalidInput(
                "an A/B test compares with the version in production, and there is none",
                field="policy.ab_test",
            )
        return cls(context, policy, context.champion)

    @property
    def identity(self) -> str:
        """Policy, models, and the parts of a unit's sums."""
        return digest(
            {
                "policy": self.context.policy.fingerprint,
                "parts": PARTS,
                "challenger": self.context.version.bundle_digest,
                "champion": self.champion.bundle_digest,
            }
        )

    @property
    def versions(self) -> Mapping[str, int]:
        """The version of each arm."""
        return dict(zip(ARMS, (self.champion.version, self.context.version.version), strict=True))

    async def sum_days(self, plan: TrafficPlan) -> ArmAggregate:
        """The units of all days of the plan."""
        store, units = self.context.registry.artifacts, ArmAggregate()
        for day in plan.days:
            units.merge(await sum_day(store, plan, self.policy, self.versions, day))
        return units

    async def infer(self, plan: TrafficPlan, sums: ArmAggregate, prior: PriorEvidence) -> Judgement:
        """Rows from the arms after each day, and the checks of the arms."""
        if not sums.counts["requests"] and not sums.counts["immature"]:
            raise InvalidDataset(
                f"there is no traffic of versions {self.champion.version} and "
                f"{self.context.version.version} of {self.context.model} between {plan.start} and "
                f"{plan.end}; route requests to both versions and log the version that answered "
                "each, or choose a window in which they served",
                field="traffic",
            )
        policy = self.policy
        looks = await asyncio.to_thread(sums.looks, policy)
        rows, trajectories = judge_arms(policy, looks)
        units = {f"{arm}_units": looks[-1][arm]["units"] if looks else 0 for arm in ARMS}
        return Judgement(
            rows=rows,
            checks=(
                *arm_checks(policy, looks, sums.counts),
                *await _salt_check(prior, policy),
            ),
            counts={**sums.counts, **units, "days": len(looks)},
            reproduction={"partitions": named(sums.sources)},
            detail={
                "looks": trajectories,
                "exposure": await asyncio.to_thread(exposure, sums, policy),
                "sums": {"looks": looks, "counts": dict(sorted(sums.counts.items()))},
            },
        )


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
    request = EvaluationRequest.of(
        Gate.AB_TEST, tenant_id, model_id, version, actor=actor, evidence_id=evidence_id
    )
    recorded = await find_report(registry, request)
    if recorded is not None:
        return recorded
    test = await ABTest.open(registry, request)
    plan = await test.plan(start, end)
    return await test.conclude(plan, await test.sum_days(plan))


def recomputed_rows(report: GateReport) -> tuple[tuple[MetricRow, ...], tuple[Check, ...]]:
    """Rows and checks from the sums in the report."""
    policy = ABPolicy.from_document(report.policy)
    sums = report.detail["sums"]
    rows, _ = judge_arms(policy, sums["looks"])
    recorded = [check for check in report.checks if check.name in RECORDED_CHECKS]
    return rows, (*arm_checks(policy, sums["looks"], sums["counts"]), *recorded)


async def _salt_check(prior: PriorEvidence, policy: ABPolicy) -> list[Check]:
    """Whether A/B tests of other versions split their units by the same salt: then the same units
    see the new version each time, and carry over what the earlier one did to them."""
    if policy.salt is None:
        return []
    for evidence in prior.of_gate(Gate.AB_TEST):
        if evidence.version == prior.context.version.version:
            continue
        report = await prior.read_report(evidence)
        if report is not None and report.policy.get("salt") == policy.salt:
            return [
                Check(
                    "salt",
                    False,
                    f"the A/B test of version {evidence.version} split its units by the same "
                    f"salt {policy.salt!r}: the same units see the new version again; use "
                    "another salt for each test",
                    None,
                )
            ]
    return [Check("salt", True, f"no test of another version used the salt {policy.salt!r}", None)]
