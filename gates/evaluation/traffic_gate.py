"""The steps that the gates on recorded traffic share: open, plan, resume, judge, conclude.

A gate is an object that lives from its opening to the recorded verdict::

    test = await ShadowTest.open(registry, request)      # or .resume(registry, plan, ...)
    plan = await test.plan(start, end)
    report = await test.conclude(plan, await test.sum_days(plan))

Evidence that exists already is looked up before: see :func:`.record.find_report`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from model_lifecycle.registry.domain.authorization import Principal
from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.stages import Gate

from ..checks.common import duration_check, restart_check
from ..data.traffic import Partition
from ..protocols import EvaluationRegistry
from ..report import GateReport
from .context import EvaluationContext, EvaluationRequest, load_context
from .plan import TrafficPlan, fix_plan, store_plan
from .prior_attempts import PriorEvidence, overlapping_window
from .record import Judgement, build_report, record_verdict


class TrafficPolicy(Protocol):
    """The common part of the policies of these gates."""

    @property
    def label_horizon_hours(self) -> float: ...

    @property
    def block(self) -> str: ...

    @property
    def longest(self) -> timedelta: ...

    def document(self) -> dict[str, Any]: ...


PolicyT = TypeVar("PolicyT", bound=TrafficPolicy)
SumsT = TypeVar("SumsT")


@dataclass(frozen=True)
class TrafficGate(ABC, Generic[PolicyT, SumsT]):
    """A test of one version on recorded traffic, with its context and the gate's policy."""

    #: Which gate it is, and what the test is called in messages.
    gate: ClassVar[Gate]
    title: ClassVar[str]

    context: EvaluationContext
    policy: PolicyT

    @classmethod
    @abstractmethod
    def of(cls, context: EvaluationContext) -> Self:
        """The test of a context. Raises InvalidInput where the policy has no section for the gate,
        or one that does not fit the model."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Digest of what sums have to have in common to be added."""

    @abstractmethod
    async def sum_days(self, plan: TrafficPlan) -> SumsT:
        """The sums of all days of the plan. Days that were read before are not read again."""

    @abstractmethod
    async def infer(self, plan: TrafficPlan, sums: SumsT, prior: PriorEvidence) -> Judgement:
        """The judgement from the sums. Raises InvalidDataset without requests to judge."""

    @classmethod
    async def open(cls, registry: EvaluationRegistry, request: EvaluationRequest) -> Self:
        """The test against the current champion and policy. Raises like
        :func:`.context.load_context` and :meth:`of`."""
        return cls.of(await load_context(registry, request))

    @classmethod
    async def resume(
        cls,
        registry: EvaluationRegistry,
        plan: TrafficPlan,
        *,
        actor: Principal | str,
        evidence_id: str | None = None,
    ) -> Self:
        """The test as it was planned, compared with the champion of that time. The evidence gets
        the plan's id, or ``evidence_id``. Raises InvalidInput when the policy or a model has
        changed since."""
        request = cls.request_of(plan, actor=actor, evidence_id=evidence_id)
        test = cls.of(await load_context(registry, request, baseline=plan.baseline))
        if test.identity != plan.identity:
            raise InvalidInput(
                f"the policy or a model has changed since this {cls.title} was planned; plan it "
                "again",
                field="plan",
            )
        return test

    @classmethod
    def request_of(
        cls, plan: TrafficPlan, *, actor: Principal | str, evidence_id: str | None = None
    ) -> EvaluationRequest:
        """The request that a plan was made for, with another ``evidence_id`` if you pass one."""
        return EvaluationRequest.of(
            cls.gate,
            plan.tenant_id,
            plan.model_id,
            plan.version,
            actor=actor,
            evidence_id=evidence_id or plan.evidence_id,
        )

    async def plan(self, start: str | date, end: str | date) -> TrafficPlan:
        """Fix the window ``[start, end)`` and what counts in it, and store the plan beside the
        report. The same window again gives the stored plan. Raises InvalidInput for what is no
        window, InvalidDataset without traffic."""
        plan, hours = await fix_plan(
            self.context,
            start,
            end,
            horizon_hours=self.policy.label_horizon_hours,
            identity=self.identity,
        )
        plan = await self.complete_plan(plan, hours)
        return await store_plan(self.context.registry.artifacts, plan)

    async def complete_plan(self, plan: TrafficPlan, hours: tuple[Partition, ...]) -> TrafficPlan:
        """The plan with what the gate alone fixes in it, from the ``hours`` in its window."""
        return plan

    async def judge(
        self, plan: TrafficPlan, sums: SumsT, *, max_duration_reached: bool = False
    ) -> GateReport:
        """The report of the sums; nothing is written. ``max_duration_reached`` marks the
        end of a test of live traffic, whatever its verdict."""
        prior = await PriorEvidence.load(self.context)
        judgement = await self.infer(plan, sums, prior)
        checks = (
            *judgement.checks,
            *duration_check(self.policy.longest, max_duration_reached),
            *restart_check([item.start for item in plan.restarts], plan.start),
        )
        attempts = prior.attempts(overlapping_window(plan.start, plan.end)) + len(plan.restarts)
        mature_until = min(datetime.fromisoformat(plan.mature_until), plan.window[1])
        return await build_report(
            self.context,
            replace(
                judgement,
                checks=checks,
                counts=dict(sorted(judgement.counts.items())),
                reproduction={
                    "start": plan.start,
                    "end": plan.end,
                    "mature_until": mature_until.isoformat(),
                    "identity": plan.identity,
                    **judgement.reproduction,
                },
            ),
            policy=self.policy.document(),
            attempts=attempts,
        )

    async def conclude(
        self, plan: TrafficPlan, sums: SumsT, *, max_duration_reached: bool = False
    ) -> GateReport:
        """Judge the sums like :meth:`judge`, write the report and record the verdict."""
        report = await self.judge(plan, sums, max_duration_reached=max_duration_reached)
        return await record_verdict(self.context, report)
