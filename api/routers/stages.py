"""Moving versions between stages, and back."""

from __future__ import annotations

from fastapi import Response

from ..auth.caller import ModelPromote, ModelRollback
from ..http.etags import IfMatch, expected_epoch
from ..http.idempotency import OperationId
from ..http.strict_route import versioned_router
from ..lifespan import Registry
from ..openapi.route_responses import writes
from ..schemas.fields import ModelId
from ..schemas.requests import MoveStage, RollBack
from ..schemas.responses import Model
from .model_response import changed

router = versioned_router("stages")


@router.put(
    "/models/{model_id}/stage",
    operation_id="move_stage",
    response_model=Model,
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
        operation_id=operation_id,
    )
    return changed(model)


@router.post(
    "/models/{model_id}/rollback",
    operation_id="roll_back",
    response_model=Model,
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
        operation_id=operation_id,
    )
    return changed(model)
