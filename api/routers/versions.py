"""Reading a model's versions."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from model_lifecycle.registry.domain.errors import VersionNotFound

from ..auth.caller import Reader
from ..http.page_token import NUMBER
from ..http.pagination import Paging
from ..http.responses import read
from ..http.strict_route import versioned_router
from ..lifespan import Registry
from ..openapi.route_responses import link, reads
from ..schemas import responses
from ..schemas.fields import After, Limit, LiveStage, ModelId, VersionPath

router = versioned_router("versions")
_OF_FIRST = {"model_id": "$request.path.model_id", "version": "$response.body#/items/0/version"}


@router.get(
    "/models/{model_id}/versions",
    operation_id="list_versions",
    response_model=responses.Page[responses.Version],
    responses=reads(
        404,
        links={
            "GetVersion": link("get_version", **_OF_FIRST),
            "Readiness": link("readiness", **_OF_FIRST),
            "Evidence": link("list_evidence", **_OF_FIRST),
        },
    ),
)
async def list_versions(
    request: Request,
    model_id: ModelId,
    caller: Reader,
    registry: Registry,
    limit: Limit = 100,
    after: After = None,
) -> Response:
    """The model's versions, oldest first. Role: any."""
    paging = Paging(request, limit, after, NUMBER)
    versions = await registry.list_versions(
        caller.tenant_id, model_id, after=paging.after or 0, limit=limit + 1
    )
    return read(request, paging.page(versions, lambda item: item.version))


@router.get(
    "/models/{model_id}/versions/{version}",
    operation_id="get_version",
    response_model=responses.Version,
    responses=reads(404),
)
async def get_version(
    request: Request, model_id: ModelId, version: VersionPath, caller: Reader, registry: Registry
) -> Response:
    """One version, and where its files are. Role: any."""
    metadata = await registry.get_version(caller.tenant_id, model_id, version)
    if metadata is None:
        raise VersionNotFound(model_id, version)
    return read(request, metadata)


@router.get(
    "/models/{model_id}/versions/{version}/readiness",
    operation_id="readiness",
    response_model=responses.Readiness,
    responses=reads(404),
)
async def readiness(
    request: Request,
    model_id: ModelId,
    version: VersionPath,
    caller: Reader,
    registry: Registry,
    target: Annotated[LiveStage, Query(description="The stage to go to.")],
) -> Response:
    """The evidence that the version still lacks for a stage. Role: any."""
    report = await registry.readiness(caller.tenant_id, model_id, version, target)
    return read(request, report.document())
