"""Evidence of the gates about a version."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response

from model_lifecycle.registry.domain.evidence import Evidence

from ..auth.caller import Gatekeeper, Reader
from ..http.page_token import RECORDED
from ..http.pagination import Paging
from ..http.responses import read, written
from ..http.strict_route import versioned_router
from ..lifespan import Registry
from ..openapi.route_responses import reads, writes
from ..schemas import responses
from ..schemas.fields import After, Limit, ModelId, VersionPath
from ..schemas.requests import RecordEvidence

router = versioned_router("evidence")


@router.get(
    "/models/{model_id}/versions/{version}/evidence",
    operation_id="list_evidence",
    response_model=responses.Page[responses.EvidenceItem],
    responses=reads(404),
)
async def list_evidence(
    request: Request,
    model_id: ModelId,
    version: VersionPath,
    caller: Reader,
    registry: Registry,
    limit: Limit = 100,
    after: After = None,
) -> Response:
    """Verdicts on the version, oldest first. Role: any."""
    paging = Paging(request, limit, after, RECORDED)
    evidence = await registry.list_evidence(
        caller.tenant_id, model_id, version, after=paging.after, limit=limit + 1
    )
    page = paging.page(
        evidence,
        _position,
        lambda item: evidence_document(request, item),
    )
    return read(request, page)


@router.post(
    "/models/{model_id}/versions/{version}/evidence",
    operation_id="record_evidence",
    response_model=responses.EvidenceItem,
    responses=writes(etag=False),
)
async def record_evidence(
    request: Request,
    model_id: ModelId,
    version: VersionPath,
    body: RecordEvidence,
    caller: Gatekeeper,
    registry: Registry,
) -> Response:
    """Record a gate's verdict; the same evidence_id again is idempotent. Role: gatekeeper."""
    recorded = await registry.record_evidence(
        caller.tenant_id, model_id, version, body.evidence(), actor=caller.principal
    )
    return written(evidence_document(request, recorded), headers={})


def _position(item: Evidence) -> tuple[datetime, str]:
    assert item.recorded_at is not None, "the ledger dates what it records"
    return item.recorded_at, item.evidence_id


def evidence_document(request: Request, item: Evidence) -> dict[str, Any]:
    """The evidence as JSON, with the path of its report below wherever the app is mounted."""
    document = item.document()
    document["report_url"] = None
    if item.report_uri is not None:
        below = request.app.url_path_for(
            "read_report",
            model_id=item.model_id,
            version=str(item.version),
            evidence_id=item.evidence_id,
        )
        document["report_url"] = f"{request.scope.get('root_path', '')}{quote(below)}"
    return document
