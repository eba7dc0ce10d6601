"""What gates said about a version."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ..caller import Gatekeeper, Reader
from ..describing import reads, writes
from ..json_response import read, written
from ..opening import Registry
from ..paging import Paging
from ..schemas import answers
from ..schemas.requests import RecordEvidence
from ..schemas.values import After, Limit, ModelId, VersionPath
from ..strict_route import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["evidence"])


@router.get(
    "/models/{model_id}/versions/{version}/evidence",
    operation_id="list_evidence",
    response_model=answers.Page[answers.EvidenceItem],
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
    paging = Paging(request, caller, limit, after)
    found = await registry.list_evidence(caller.tenant_id, model_id, version)
    return read(request, paging.slice((item.document() for item in found), "evidence_id"))


@router.post(
    "/models/{model_id}/versions/{version}/evidence",
    operation_id="record_evidence",
    response_model=answers.EvidenceItem,
    responses=writes(etag=False),
)
async def record_evidence(
    model_id: ModelId,
    version: VersionPath,
    asked: RecordEvidence,
    caller: Gatekeeper,
    registry: Registry,
) -> Response:
    """Record a gate's verdict; its evidence_id makes a repetition harmless. Role: gatekeeper."""
    recorded = await registry.record_evidence(
        caller.tenant_id, model_id, version, asked.evidence(), actor=caller.principal
    )
    return written(recorded.document(), headers={})
