"""What every gate does before and after it judges: read the case, write the report, record it.

The report's files are written first and the evidence last: evidence in the ledger always has its
report, and a run that was cut off leaves nothing that counts.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from model_lifecycle import __version__
from model_lifecycle.registry.domain import artifact_paths, identifiers
from model_lifecycle.registry.domain.authorization import Action, Principal, principal, require
from model_lifecycle.registry.domain.canonical_json import canonical_json, digest
from model_lifecycle.registry.domain.errors import (
    AlreadyExists,
    InvalidInput,
    ModelNotFound,
    OperationConflict,
    VersionNotFound,
)
from model_lifecycle.registry.domain.models import VersionMetadata
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.domain.stages import Gate

from ..checks.common import production_check
from ..formatting import deciding_sentence
from ..inference.decision import combine
from ..metrics.definitions import METRICS, Metric
from ..policy.estimands import estimand
from ..protocols import EvaluationRegistry
from ..report import Check, GateReport, MetricRow

REPORT_JSON = artifact_paths.REPORT_JSON
REPORT_HTML = artifact_paths.REPORT_HTML
_PATH_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


@dataclass(frozen=True)
class EvaluationContext:
    """A version as a gate finds it: its files, the champion now, and the policy now."""

    gate: Gate
    tenant: identifiers.TenantId
    model: identifiers.ModelId
    version: VersionMetadata
    champion: VersionMetadata | None
    model_type: str
    policy: PromotionPolicy
    evidence_id: str
    attempts: int
    actor: Principal | str

    @property
    def baseline(self) -> int | None:
        return self.champion.version if self.champion else None

    def require_model_type(self, metrics: Sequence[Metric]) -> None:
        """The policy's measures are for this type of model. Raises :class:`InvalidInput`."""
        for item in metrics:
            if not item.fits(self.model_type):
                fitting = [name for name, each in METRICS.items() if each.fits(self.model_type)]
                raise InvalidInput(
                    f"the policy asks for {item.name}, a measure of "
                    f"{' and '.join(item.model_types)}, but {self.model} is a model of type "
                    f"{self.model_type}; its measures are {', '.join(fitting)}",
                    field=f"policy.{self.gate}",
                )


async def load_context(
    registry: EvaluationRegistry,
    gate: Gate,
    tenant_id: str,
    model_id: str,
    version: int,
    *,
    actor: Principal | str,
    evidence_id: str | None,
) -> EvaluationContext | GateReport:
    """The case, or the report of the evidence that has this id already.

    Raises PermissionDenied, ModelNotFound, VersionNotFound, and OperationConflict when the
    evidence id was used for another gate.
    """
    require(principal(actor), Action.RECORD_EVIDENCE)
    tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
    number = identifiers.version_number(version)
    metadata = await registry.get_model(tenant, model)
    if metadata is None:
        raise ModelNotFound(model)
    candidate = await registry.get_version(tenant, model, number)
    if candidate is None:
        raise VersionNotFound(model, number)
    earlier = await registry.list_evidence(tenant, model, number)
    wanted = _evidence_id(evidence_id)
    for item in earlier:
        if item.evidence_id == wanted:
            if item.gate is not gate:
                raise OperationConflict(wanted)
            return await read_report(registry, item.report_uri)
    champion = None
    if metadata.production_version is not None:
        if metadata.production_version == number:
            raise InvalidInput(
                f"version {number} is in production already; a gate judges a candidate against it",
                field="version",
            )
        champion = await registry.get_version(tenant, model, metadata.production_version)
    return EvaluationContext(
        gate=gate,
        tenant=tenant,
        model=model,
        version=candidate,
        champion=champion,
        model_type=metadata.model_type,
        policy=await registry.get_policy(tenant, model),
        evidence_id=wanted,
        attempts=1 + sum(item.gate is gate for item in earlier),
        actor=actor,
    )


async def look(
    registry: EvaluationRegistry,
    case: EvaluationContext,
    section: Mapping[str, Any],
    rows: Sequence[MetricRow],
    checks: Sequence[Check],
    *,
    counts: Mapping[str, int],
    reproduction: Mapping[str, Any],
    detail: Mapping[str, Any],
) -> GateReport:
    """The report as :func:`conclude` would make it now; nothing is written."""
    now = await registry.get_model(case.tenant, case.model)
    every = (*checks, production_check(case.baseline, now.production_version if now else None))
    verdict = combine(rows, every)
    folder = report_folder(
        case.tenant, case.model, case.version.version, case.gate.value, case.evidence_id
    )
    return GateReport(
        gate=case.gate,
        verdict=verdict,
        sentence=deciding_sentence(verdict, tuple(rows), every),
        tenant_id=case.tenant,
        model_id=case.model,
        version=case.version.version,
        baseline=case.baseline,
        bundle_digest=case.version.bundle_digest,
        policy=section,
        policy_fingerprint=case.policy.fingerprint,
        evidence_id=case.evidence_id,
        metrics=tuple(rows),
        checks=every,
        counts=counts,
        attempts=case.attempts,
        report_uri=registry.artifacts.uri(folder),
        reproduction={**reproduction, **_judged(case)},
        detail={**detail, "estimand": estimand(case.gate, section)},
    )


async def conclude(
    registry: EvaluationRegistry,
    case: EvaluationContext,
    section: Mapping[str, Any],
    rows: Sequence[MetricRow],
    checks: Sequence[Check],
    **told: Any,
) -> GateReport:
    """Make the verdict, write the report and record the evidence; what was recorded first wins.
    ``told`` are the ``counts``, ``reproduction`` and ``detail`` of the report."""
    report = await look(registry, case, section, rows, checks, **told)
    folder = report_folder(
        case.tenant, case.model, case.version.version, case.gate.value, case.evidence_id
    )
    content = canonical_json(report.document(), field="report")
    page = await asyncio.to_thread(_page, report)
    await registry.artifacts.put_bytes(f"{folder}/{REPORT_HTML}", page.encode())
    await registry.artifacts.put_bytes(f"{folder}/{REPORT_JSON}", content)
    try:
        await registry.record_evidence(
            case.tenant, case.model, case.version.version, report.evidence(), actor=case.actor
        )
    except AlreadyExists:
        return await _recorded_meanwhile(registry, case, report)
    return report


def report_folder(
    tenant: identifiers.TenantId,
    model: identifiers.ModelId,
    version: int,
    gate: str,
    evidence_id: str,
) -> str:
    """Where a gate's report is, under the artifact root."""
    return artifact_paths.gate_report(tenant, model, version, gate, _segment(evidence_id))


async def read_report(registry: EvaluationRegistry, report_uri: str | None) -> GateReport:
    """The report at the address that evidence holds. Raises ArtifactNotFound, and InvalidInput
    for evidence that no gate of ours wrote."""
    folder = registry.artifacts.path_of(report_uri) if report_uri else None
    if folder is None:
        raise InvalidInput(
            "this evidence id is taken by evidence without a report here; use another id",
            field="evidence_id",
        )
    data = await registry.artifacts.get_bytes(f"{folder.rstrip('/')}/{REPORT_JSON}")
    return GateReport.from_document(json.loads(data))


async def _recorded_meanwhile(
    registry: EvaluationRegistry, case: EvaluationContext, report: GateReport
) -> GateReport:
    """Another run with the same id was first: its verdict is the one on record."""
    for item in await registry.list_evidence(case.tenant, case.model, case.version.version):
        if item.evidence_id == case.evidence_id and item.gate is case.gate:
            sentence = item.summary.get("sentence")
            return replace(
                report,
                verdict=item.verdict,
                sentence=sentence if isinstance(sentence, str) else report.sentence,
                baseline=item.baseline,
            )
    raise OperationConflict(case.evidence_id)


def _judged(case: EvaluationContext) -> dict[str, Any]:
    return {
        "software": f"model_lifecycle {__version__}",
        "challenger": _files(case.version),
        "champion": _files(case.champion) if case.champion else None,
    }


def _files(version: VersionMetadata) -> dict[str, Any]:
    return {"version": version.version, "bundle_digest": version.bundle_digest}


def _evidence_id(value: str | None) -> str:
    if value is None:
        return uuid.uuid4().hex
    wanted = identifiers.operation_id(value)
    if len(wanted) > 128 or "/" in wanted:
        raise InvalidInput(
            "evidence_id must be at most 128 characters without '/'", field="evidence_id"
        )
    return wanted


def _segment(evidence_id: str) -> str:
    """The evidence id as a folder name; a digest of it where it could not be one."""
    return evidence_id if _PATH_SAFE.fullmatch(evidence_id) else digest(evidence_id)[7:39]


def _page(report: GateReport) -> str:
    from ..rendering.html import report_page

    return report_page(report)
