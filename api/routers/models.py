"""Reading models, and deleting them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from model_lifecycle.registry.domain.errors import ModelNotFound
from model_lifecycle.registry.domain.models import Framework, LedgerEntry, timestamp

from ..auth.caller import ModelDelete, Reader
from ..http.etags import IfMatch, expected_epoch, model_etag
from ..http.idempotency import OperationId
from ..http.page_token import MODEL_NAME, NUMBER
from ..http.pagination import Paging
from ..http.responses import read
from ..http.strict_route import versioned_router
from ..lifespan import Registry
from ..openapi.route_responses import link, problems, reads
from ..schemas import responses
from ..schemas.fields import After, At, Limit, LiveStage, ModelId, ReasonQuery, VersionQuery, now

router = versioned_router("models")


@router.get(
    "/models",
    operation_id="list_models",
    response_model=responses.Page[responses.Model],
    responses=reads(),
)
async def list_models(
    request: Request,
    caller: Reader,
    registry: Registry,
    stage: Annotated[LiveStage | None, Query(description="Of the current version.")] = None,
    framework: Annotated[Framework | None, Query(description="Of the current version.")] = None,
    limit: Limit = 100,
    after: After = None,
) -> Response:
    """The tenant's models by name. Role: any."""
    paging = Paging(request, limit, after, MODEL_NAME, stage=stage, framework=framework)
    models = await registry.list_models(
        caller.tenant_id, stage, framework, limit=limit + 1, after=paging.after
    )
    return read(request, paging.page(models, lambda model: model.model_id))


@router.get(
    "/models/{model_id}",
    operation_id="get_model",
    response_model=responses.Model,
    responses=reads(
        404, links={"Versions": link("list_versions", model_id="$request.path.model_id")}
    ),
)
async def get_model(
    request: Request, model_id: ModelId, caller: Reader, registry: Registry
) -> Response:
    """A model with its current version. Role: any."""
    model = await registry.get_model(caller.tenant_id, model_id)
    if model is None:
        raise ModelNotFound(model_id)
    return read(request, model, etag=model_etag(model))


@router.delete(
    "/models/{model_id}",
    operation_id="delete_model",
    status_code=204,
    responses={204: {"description": "Gone; its history stays."}, **problems(404, 409, 412)},
)
async def delete_model(
    model_id: ModelId,
    caller: ModelDelete,
    registry: Registry,
    operation_id: OperationId,
    reason: ReasonQuery = "no reason was given",
    version: VersionQuery = None,
    if_match: IfMatch = None,
) -> Response:
    """Delete a version, or all versions, that never were in production. Role: admin."""
    await registry.delete_model(
        caller.tenant_id,
        model_id,
        version,
        actor=caller.principal,
        reason=reason,
        expected_epoch=expected_epoch(caller, model_id, if_match),
        operation_id=operation_id,
    )
    return Response(status_code=204)


@router.get(
    "/models/{model_id}/history",
    operation_id="model_history",
    response_model=responses.Page[responses.Entry],
    responses=reads(404),
)
async def model_history(
    request: Request,
    model_id: ModelId,
    caller: Reader,
    registry: Registry,
    limit: Limit = 100,
    after: After = None,
) -> Response:
    """The model's ledger, oldest entry first; also of a deleted model. Role: any."""
    paging = Paging(request, limit, after, NUMBER)
    entries = await registry.history(
        caller.tenant_id, model_id, after=paging.after or 0, limit=limit + 1
    )
    return read(request, paging.page(entries, lambda entry: entry.sequence, LedgerEntry.document))


@router.get(
    "/models/{model_id}/production",
    operation_id="production_at",
    response_model=responses.Production,
    responses=reads(404),
)
async def production_at(
    request: Request, model_id: ModelId, caller: Reader, registry: Registry, at: At = None
) -> Response:
    """The version that was in production at a timestamp. Role: any."""
    when = at or now()
    version = await registry.production_at(caller.tenant_id, model_id, when)
    return read(request, {"model_id": model_id, "at": timestamp(when), "version": version})
