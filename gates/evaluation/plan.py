"""Plans of tests on traffic: what is fixed before a request is read, so that any worker can judge
a day."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from model_lifecycle.registry.domain import identifiers
from model_lifecycle.registry.domain.canonical_json import digest
from model_lifecycle.registry.domain.errors import ArtifactNotFound, InvalidDataset, InvalidInput
from model_lifecycle.registry.domain.stages import Gate

from ..data.traffic import Partition, parse_day, partitions
from ..protocols import ArtifactFiles
from ..report import GateReport
from .context import EvaluationContext, EvaluationRequest
from .record import report_folder

PLAN_JSON = "plan.json"


@dataclass(frozen=True)
class Restart:
    """An earlier attempt of the same live test: its begin, and the fingerprint of the policy that
    it was judged by until the policy changed."""

    start: str
    policy_fingerprint: str


@dataclass(frozen=True)
class TrafficPlan:
    """Plain JSON in :meth:`document`. ``days`` of the window have traffic; ``mature_until`` is the
    time of the latest request that counts; ``identity`` that of the sums; ``edges`` of the plots of
    a regression. ``section`` is the digest of the gate's part of the policy; ``restarts`` are the
    attempts before the policy was changed during a live test."""

    tenant_id: str
    model_id: str
    version: int
    evidence_id: str
    baseline: int | None
    start: str
    end: str
    mature_until: str
    identity: str
    policy_fingerprint: str
    days: tuple[str, ...]
    edges: Mapping[str, Any] | None = None
    gate: str = Gate.SHADOW.value
    section: str = ""
    restarts: tuple[Restart, ...] = ()

    @property
    def folder(self) -> str:
        """Where the report and the days' sums are, under the artifact root."""
        return report_folder(
            identifiers.tenant_id(self.tenant_id),
            identifiers.model_id(self.model_id),
            self.version,
            self.gate,
            self.evidence_id,
        )

    @property
    def window(self) -> tuple[datetime, datetime]:
        return datetime.fromisoformat(self.start), datetime.fromisoformat(self.end)

    async def day_hours(self, store: ArtifactFiles, day: str) -> tuple[Partition, ...]:
        """The hours of one day. Their rows are limited by the window alone: a request that was
        filed under a neighbouring day is still one of the window."""
        first, last = self.window
        begin = datetime.fromisoformat(day).replace(tzinfo=UTC)
        hours = await partitions(
            store,
            self.tenant_id,
            self.model_id,
            max(first, begin),
            min(last, begin + timedelta(days=1)),
        )
        return tuple(replace(hour, start=first, end=last) for hour in hours)

    def document(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "days": list(self.days),
            "restarts": [asdict(item) for item in self.restarts],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> TrafficPlan:
        """The inverse of :meth:`document`. Raises :class:`InvalidInput`."""
        try:
            restarts = tuple(Restart(**item) for item in document.get("restarts", ()))
            return cls(**{**document, "days": tuple(document["days"]), "restarts": restarts})
        except (TypeError, KeyError, ValueError) as error:
            raise InvalidInput(
                f"the document is not the plan of a test: {error}; pass what "
                "TrafficPlan.document() returned",
                field="plan",
            ) from None

    def content(self) -> bytes:
        return json.dumps(self.document(), sort_keys=True).encode()


async def fix_plan(
    context: EvaluationContext,
    start: str | date,
    end: str | date,
    *,
    horizon_hours: float,
    identity: str,
) -> tuple[TrafficPlan, tuple[Partition, ...]]:
    """The plan of a test of ``[start, end)``, and the hours in it; requests younger than
    ``horizon_hours`` now do not count. Raises InvalidInput for what is no window, InvalidDataset
    without traffic."""
    first, last = parse_day(start, "start"), parse_day(end, "end")
    if first >= last:
        raise InvalidInput(f"start {start} must be before end {end}", field="end")
    hours = await partitions(context.registry.artifacts, context.tenant, context.model, first, last)
    if not hours:
        raise InvalidDataset(
            f"there is no traffic of {context.model} between {start} and {end}; write the logged "
            "requests with write_traffic, or choose a window for which there are some",
            field="traffic",
        )
    plan = TrafficPlan(
        tenant_id=context.tenant,
        model_id=context.model,
        version=context.version.version,
        evidence_id=context.request.evidence_id,
        baseline=context.baseline,
        start=first.isoformat(),
        end=last.isoformat(),
        mature_until=(datetime.now(UTC) - timedelta(hours=horizon_hours)).isoformat(),
        identity=identity,
        policy_fingerprint=context.policy.fingerprint,
        days=tuple(dict.fromkeys(f"{hour.hour:%Y-%m-%d}" for hour in hours)),
        gate=context.gate.value,
        section=section_digest(context),
    )
    return plan, hours


def section_digest(context: EvaluationContext) -> str:
    """Identifies the gate's part of the policy: a live test restarts when it changes."""
    return digest(getattr(context.policy, context.gate.value), field="policy")


async def store_plan(store: ArtifactFiles, plan: TrafficPlan) -> TrafficPlan:
    """The plan that was stored earlier for the same test, with the days that have traffic now; else
    this one, stored with the test's restarts so far."""
    earlier = await _read(store, plan.folder)
    if earlier is not None and _of_same_test(earlier, plan):
        if earlier.days == plan.days:
            return earlier
        plan = replace(earlier, days=plan.days)
    elif earlier is not None and earlier.start == plan.start:
        plan = replace(plan, restarts=earlier.restarts)
    await store.put_bytes(f"{plan.folder}/{PLAN_JSON}", plan.content())
    return plan


async def load_plan(store: ArtifactFiles, request: EvaluationRequest) -> TrafficPlan | None:
    """The plan of an earlier try or look with the request's evidence id."""
    return await _read(
        store,
        report_folder(
            request.tenant,
            request.model,
            request.version,
            request.gate.value,
            request.evidence_id,
        ),
    )


async def restart_plan(
    plan: TrafficPlan, context: EvaluationContext, start: datetime
) -> TrafficPlan:
    """Store that the live test starts again at ``start``, under the current policy: what the
    earlier attempt has read does not count."""
    again = replace(
        plan,
        start=start.isoformat(),
        end=start.isoformat(),
        baseline=context.baseline,
        days=(),
        policy_fingerprint=context.policy.fingerprint,
        section=section_digest(context),
        restarts=(*plan.restarts, Restart(plan.start, plan.policy_fingerprint)),
    )
    store = context.registry.artifacts
    await store.put_bytes(f"{again.folder}/{PLAN_JSON}", again.content())
    return again


async def recorded_plan(store: ArtifactFiles, report: GateReport) -> TrafficPlan:
    """The plan of a recorded report. Raises ArtifactNotFound."""
    folder = report_folder(
        identifiers.tenant_id(report.tenant_id),
        identifiers.model_id(report.model_id),
        report.version,
        report.gate.value,
        report.evidence_id,
    )
    return TrafficPlan.from_document(json.loads(await store.get_bytes(f"{folder}/{PLAN_JSON}")))


async def _read(store: ArtifactFiles, folder: str) -> TrafficPlan | None:
    try:
        content = await store.get_bytes(f"{folder}/{PLAN_JSON}")
        return TrafficPlan.from_document(json.loads(content))
    except (ArtifactNotFound, InvalidInput, ValueError):
        return None


def _of_same_test(first: TrafficPlan, second: TrafficPlan) -> bool:
    return (first.identity, first.start, first.end) == (second.identity, second.start, second.end)
