"""Registering models and versions: from a source, or from an upload that is never loaded."""

from __future__ import annotations

from fastapi import Request, Response

from ..auth.caller import ModelRegister
from ..http.idempotency import OperationId
from ..http.strict_route import versioned_router
from ..lifespan import Registry
from ..openapi.route_responses import link, registration_body, writes
from ..schemas.fields import ModelId
from ..schemas.requests import CreateVersion, RegisterModel, UploadModel, UploadVersion
from ..schemas.responses import ChangedModel
from ..uploads.form import received
from .model_response import changed, location

router = versioned_router("register")
_LINKS = {
    "GetModel": link("get_model", model_id="$response.body#/model_id"),
    "ListVersions": link("list_versions", model_id="$response.body#/model_id"),
    "History": link("model_history", model_id="$response.body#/model_id"),
}


@router.post(
    "/models",
    operation_id="register_model",
    status_code=201,
    response_model=ChangedModel,
    responses=writes(501, status=201, links=_LINKS),
    openapi_extra={"requestBody": registration_body(RegisterModel, UploadModel)},
)
async def register_model(
    request: Request, caller: ModelRegister, registry: Registry, operation_id: OperationId
) -> Response:
    """Register a model's first or next version, in development. Role: contributor."""
    async with received(request, RegisterModel, UploadModel) as body:
        model = await registry.register_model(
            caller.tenant_id,
            body.document.name,
            body.source,
            **body.arguments,
            model_type=body.document.model_type,
            created_by=caller.principal,
            operation_id=operation_id,
        )
    return changed(model, status=201, headers={"Location": location(request, model)})


@router.post(
    "/models/{model_id}/versions",
    operation_id="create_version",
    status_code=201,
    response_model=ChangedModel,
    responses=writes(501, status=201, links=_LINKS),
    openapi_extra={"requestBody": registration_body(CreateVersion, UploadVersion)},
)
async def create_version(
    request: Request,
    model_id: ModelId,
    caller: ModelRegister,
    registry: Registry,
    operation_id: OperationId,
) -> Response:
    """Register the next version of a model that exists. Role: contributor."""
    async with received(request, CreateVersion, UploadVersion) as body:
        model = await registry.create_version(
            caller.tenant_id,
            model_id,
            body.source,
            **body.arguments,
            created_by=caller.principal,
            operation_id=operation_id,
        )
    return changed(model, status=201, headers={"Location": location(request, model)})
