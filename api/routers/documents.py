"""Files about a version that people read: gate reports, the model card, the training log."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from fastapi import Path, Query, Request, Response

from model_lifecycle.registry.domain.artifact_paths import REPORT_HTML, REPORT_JSON

from ..auth.caller import Reader
from ..http.responses import file_response
from ..http.strict_route import versioned_router
from ..lifespan import Registry
from ..openapi.route_responses import documents, problems
from ..schemas.fields import ModelId, VersionPath

router = versioned_router("documents")

#: A report is one file: its style and pictures are in it, and it has no script. ``sandbox`` gives
#: it an origin of its own, so that not even a forged report reaches the reader's login.
_REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox"
)

EvidenceId = Annotated[
    str,
    Path(
        description="An id from the list of evidence.",
        json_schema_extra={
            "example": "nightly-2026-03-01",
            "minLength": 1,
            "maxLength": 128,
            "pattern": "^[A-Za-z0-9._-]+$",
        },
    ),
]
Format = Annotated[
    Literal["html", "json"] | None,
    Query(description="`html` or `json`; without it, what Accept prefers, and HTML for browsers."),
]
Since = Annotated[
    int | None,
    Query(
        ge=1,
        le=2**53,
        description="The size of the tree in an earlier proof, with which this one has to begin.",
    ),
]


@router.get(
    "/models/{model_id}/versions/{version}/evidence/{evidence_id}/report",
    operation_id="read_report",
    response_class=Response,
    responses=documents("text/html", "application/json"),
)
async def read_report(
    request: Request,
    model_id: ModelId,
    version: VersionPath,
    evidence_id: EvidenceId,
    caller: Reader,
    registry: Registry,
    format: Format = None,  # noqa: A002 - the query parameter's name
) -> Response:
    """A gate's report: a page for people, or JSON with all numbers. Role: any."""
    as_json = (format or _preferred_format(request)) == "json"
    file = REPORT_JSON if as_json else REPORT_HTML
    content = await registry.read_report(caller.tenant_id, model_id, version, evidence_id, file)
    media_type = "application/json" if as_json else "text/html; charset=utf-8"
    headers = {"Content-Security-Policy": _REPORT_POLICY, "Vary": "Authorization, Accept"}
    return file_response(request, content, media_type, headers)


@router.get(
    "/models/{model_id}/versions/{version}/model-card",
    operation_id="read_model_card",
    response_class=Response,
    responses=documents("text/markdown"),
)
async def read_model_card(
    request: Request, model_id: ModelId, version: VersionPath, caller: Reader, registry: Registry
) -> Response:
    """The version's model card, Markdown. Role: any."""
    content = await registry.read_model_card(caller.tenant_id, model_id, version)
    return file_response(request, content, "text/markdown; charset=utf-8")


@router.get(
    "/models/{model_id}/versions/{version}/training-log",
    operation_id="read_training_log",
    response_class=Response,
    responses=documents("text/plain"),
)
async def read_training_log(
    request: Request, model_id: ModelId, version: VersionPath, caller: Reader, registry: Registry
) -> Response:
    """The log of the version's training run; 404 where none was logged. Role: any."""
    content = await registry.read_training_log(caller.tenant_id, model_id, version)
    return file_response(request, content, "text/plain; charset=utf-8")


@router.get(
    "/models/{model_id}/versions/{version}/proof",
    operation_id="export_proof",
    response_class=Response,
    responses={**documents("application/json"), **problems(404, 409, 501)},
)
async def export_proof(
    request: Request,
    model_id: ModelId,
    version: VersionPath,
    caller: Reader,
    registry: Registry,
    since: Since = None,
) -> Response:
    """The version's signed record, which `model-lifecycle verify-proof` checks without the
    registry: entries, evidence, policy, paths into the tenant's Merkle tree, and a signed head; 501
    where the service has no key. Role: any."""
    proof = await registry.export_proof(caller.tenant_id, model_id, version, since=since)
    return file_response(request, json.dumps(proof).encode(), "application/json")


def _preferred_format(request: Request) -> Literal["html", "json"]:
    """JSON for a client that accepts JSON and does not accept HTML; else HTML."""
    accepted = {
        part.partition(";")[0].strip().lower()
        for part in request.headers.get("accept", "*/*").split(",")
    }
    return "json" if "application/json" in accepted and "text/html" not in accepted else "html"
