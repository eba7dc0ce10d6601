"""Reports and evidence: build a gate's report, record its verdict, read it again.

The report's files are written first and the evidence last: evidence in the ledger always has its
report, and a run that was cut off leaves nothing that counts.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from model_lifecycle import __version__
from model_lifecycle.registry.domain import artifact_paths, identifiers
from model_lifecycle.registry.domain.canonical_json import canonical_json, digest
from model_lifecycle.registry.domain.errors import (
    AlreadyExists,
    EvidenceNotFound,
    InvalidInput,
    OperationConflict,
    VersionNotFound,
)
from model_lifecycle.registry.domain.models import VersionMetadata

from ..checks.common import production_check
from ..inference.decision import combine, deciding_sentence
from ..policy.estimands import estimand
from ..protocols import ArtifactFiles, EvaluationRegistry
from ..report import Check, GateReport, MetricRow
from .context import EvaluationContext, EvaluationRequest

REPORT_JSON = artifact_paths.REPORT_JSON
REPORT_HTML = artifact_paths.REPORT_HTML
_PATH_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


@dataclass(frozen=True)
class Judgement:
    """The conclusion of a gate from its data, before it becomes a report: rows and checks, the
    totals of what was counted, the inputs that repeat it, and what the report's plots show."""

    rows: tuple[MetricRow, ...]
    checks: tuple[Check, ...]
    counts: Mapping[str, int]
    reproduction: Mapping[str, Any]
    detail: Mapping[str, Any]


async def find_report(
    registry: EvaluationRegistry, request: EvaluationRequest
) -> GateReport | None:
    """The report of the evidence that has the request's id; None where there is no such evidence.

    Raises VersionNotFound when the version was deleted since, OperationConflict when another gate
    used the id, InvalidInput for evidence without a report, ArtifactNotFound when it is gone.
    """
    try:
        evidence = await registry.get_evidence(
            request.tenant, request.model, request.version, request.evidence_id
        )
    except EvidenceNotFound:
        return None
    if await registry.get_version(request.tenant, request.model, request.version) is None:
        raise VersionNotFound(request.model, request.version)
    if evidence.gate is not request.gate:
        raise OperationConflict(request.evidence_id)
    return await read_report(registry.artifacts, evidence.report_uri)


async def build_report(
    context: EvaluationContext,
    judgement: Judgement,
    *,
    policy: Mapping[str, Any],
    attempts: int,
) -> GateReport:
    """The report of a judgement by the gate's part of the ``policy``; nothing is written.
    ``attempts`` is how often the gate has judged this version, or any on the same data."""
    model = await context.registry.get_model(context.tenant, context.model)
    production = model.production_version if model else None
    checks = (*judgement.checks, production_check(context.baseline, production))
    verdict = combine(judgement.rows, checks)
    return GateReport(
        gate=context.gate,
        verdict=verdict,
        sentence=deciding_sentence(verdict, judgement.rows, checks),
        tenant_id=context.tenant,
        model_id=context.model,
        version=context.version.version,
        baseline=context.baseline,
        bundle_digest=context.version.bundle_digest,
        policy=policy,
        policy_fingerprint=context.policy.fingerprint,
        evidence_id=context.request.evidence_id,
        metrics=judgement.rows,
        checks=checks,
        counts=judgement.counts,
        attempts=attempts,
        report_uri=context.registry.artifacts.uri(_folder(context)),
        reproduction={
            **judgement.reproduction,
            "software": f"model_lifecycle {__version__}",
            "challenger": _files(context.version),
            "champion": _files(context.champion) if context.champion else None,
        },
        detail={**judgement.detail, "estimand": estimand(context.gate, policy)},
    )


async def record_verdict(context: EvaluationContext, report: GateReport) -> GateReport:
    """Write the report and record its evidence. If another run with the same evidence id was
    faster, the report gets the verdict that is on record. Raises OperationConflict when the id
    belongs to other evidence."""
    registry, folder = context.registry, _folder(context)
    content = canonical_json(report.document(), field="report")
    page = await asyncio.to_thread(_page, report)
    await registry.artifacts.put_bytes(f"{folder}/{REPORT_HTML}", page.encode())
    await registry.artifacts.put_bytes(f"{folder}/{REPORT_JSON}", content)
    try:
        await registry.record_evidence(
            context.tenant,
            context.model,
            context.version.version,
            report.evidence(),
            actor=context.request.actor,
        )
    except AlreadyExists:
        return await _with_recorded_verdict(context, report)
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


async def read_report(store: ArtifactFiles, report_uri: str | None) -> GateReport:
    """The report at the URI that evidence holds. Raises ArtifactNotFound, and InvalidInput for
    evidence that no gate of this package wrote."""
    folder = store.path_of(report_uri) if report_uri else None
    if folder is None:
        raise InvalidInput(
            "this evidence id is taken by evidence without a report here; use another id",
            field="evidence_id",
        )
    data = await store.get_bytes(f"{folder.rstrip('/')}/{REPORT_JSON}")
    return GateReport.from_document(json.loads(data))


async def _with_recorded_verdict(context: EvaluationContext, report: GateReport) -> GateReport:
    evidence_id = context.request.evidence_id
    try:
        evidence = await context.registry.get_evidence(
            context.tenant, context.model, context.version.version, evidence_id
        )
    except EvidenceNotFound:
        raise OperationConflict(evidence_id) from None
    if evidence.gate is not context.gate:
        raise OperationConflict(evidence_id)
    sentence = evidence.summary.get("sentence")
    return replace(
        report,
        verdict=evidence.verdict,
        sentence=sentence if isinstance(sentence, str) else report.sentence,
        baseline=evidence.baseline,
    )


def _folder(context: EvaluationContext) -> str:
    return report_folder(
        context.tenant,
        context.model,
        context.version.version,
        context.gate.value,
        context.request.evidence_id,
    )


def _files(version: VersionMetadata) -> dict[str, Any]:
    return {"version": version.version, "bundle_digest": version.bundle_digest}


def _segment(evidence_id: str) -> str:
    """The evidence id as a folder name; a digest of it where it could not be one."""
    return evidence_id if _PATH_SAFE.fullmatch(evidence_id) else digest(evidence_id)[7:39]


def _page(report: GateReport) -> str:
    from ..rendering.html import report_page

    return report_page(report)
