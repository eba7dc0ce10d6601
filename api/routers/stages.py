"""Moving versions between stages, back, and out of the registry."""

from __future__ import annotations

from fastapi import Response

from ..auth.caller import ModelErase, ModelPromote, ModelRollback
from ..http.etags import IfMatch, expected_epoch
from ..http.idempotency import OperationId
from ..http.responses import written
from ..http.strict_route import versioned_router
from ..lifespan import Registry
from ..openapi.route_responses import writes
from ..schemas.fields import ModelId
from ..schemas.requests import EraseVersion, MoveStage, RollBack
from ..schemas.responses import ChangedModel, Erasure
from .model_response import changed

router = versioned_router("stages")


@router.put(
    "/models/{model_id}/stage",
    operation_id="move_stage",
    response_model=ChangedModel,
    responses=writes(412),
)
async def move_stage(
    model_id: ModelId,
    body: MoveStage,
    caller: ModelPromote,
    registry: Registry,
    operation_id: OperationId,
    if_match: IfMatch = None,
) -> Response:
    """Move a version to another stage, if its evidence allows it. Role: promoter."""
    model = await registry.transition_stage(
        caller.tenant_id,
        model_id,
        body.version,
        body.target_stage,
        actor=caller.principal,
        reason=body.reason,
        expected_epoch=expected_epoch(caller, model_id, if_match),
        force=body.force,
        without_verification=body.without_verification,
        operation_id=operation_id,
    )
    return changed(model)


@router.post(
    "/models/{model_id}/rollback",
    operation_id="roll_back",
    response_model=ChangedModel,
    responses=writes(412),
)
async def roll_back(
    model_id: ModelId,
    body: RollBack,
    caller: ModelRollback,
    registry: Registry,
    operation_id: OperationId,
    if_match: IfMatch = None,
) -> Response:
    """Put an earlier production version back, in one operation. Role: promoter."""
    model = await registry.rollback(
        caller.tenant_id,
        model_id,
        to_version=body.to_version,
        actor=caller.principal,
        reason=body.reason,
        expected_production=body.expectation(),
        expected_epoch=expected_epoch(caller, model_id, if_match),
        without_verification=body.without_verification,
        operation_id=operation_id,
    )
    return changed(model)


@router.post(
    "/models/{model_id}/erasure",
    operation_id="erase_version",
    response_model=Erasure,
    responses=writes(412, etag=False),
)
async def erase_version(
    model_id: ModelId,
    body: EraseVersion,
    caller: ModelErase,
    registry: Registry,
    operation_id: OperationId,
    if_match: IfMatch = None,
) -> Response:
    """Remove a version's files for legal reasons; its history stays. Role: admin."""
    receipt = await registry.erase_version(
        caller.tenant_id,
        model_id,
        body.version,
        actor=caller.principal,
        reason=body.reason,
        expected_epoch=expected_epoch(caller, model_id, if_match),
        operation_id=operation_id,
    )
    document = {"entry": receipt.entry.document(), "replayed": receipt.replayed}
    return written(document, headers={})
