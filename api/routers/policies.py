"""Promotion policies: what a model's gates must show."""

from __future__ import annotations

from fastapi import Request, Response

from ..auth.caller import PolicySetter, Reader
from ..http.etags import IfMatch, expected_epoch
from ..http.idempotency import OperationId
from ..http.responses import read, written
from ..http.strict_route import versioned_router
from ..lifespan import Registry
from ..openapi.route_responses import reads, writes
from ..schemas.fields import ModelId
from ..schemas.requests import SetPolicy
from ..schemas.responses import Policy

router = versioned_router("policies")


@router.get(
    "/models/{model_id}/policy",
    operation_id="get_policy",
    response_model=Policy,
    responses=reads(404),
)
async def get_policy(
    request: Request, model_id: ModelId, caller: Reader, registry: Registry
) -> Response:
    """The model's promotion policy, and the fingerprint that evidence has to name. Role: any."""
    policy = await registry.get_policy(caller.tenant_id, model_id)
    return read(request, {"policy": policy.document(), "fingerprint": policy.fingerprint})


@router.put(
    "/models/{model_id}/policy",
    operation_id="set_policy",
    response_model=Policy,
    responses=writes(412, etag=False),
)
async def set_policy(
    model_id: ModelId,
    body: SetPolicy,
    caller: PolicySetter,
    registry: Registry,
    operation_id: OperationId,
    if_match: IfMatch = None,
) -> Response:
    """Set the promotion policy; evidence under another one counts no more. Role: gatekeeper."""
    policy = await registry.set_policy(
        caller.tenant_id,
        model_id,
        body.policy.model_dump(),
        actor=caller.principal,
        reason=body.reason,
        expected_epoch=expected_epoch(caller, model_id, if_match),
        operation_id=operation_id,
    )
    return written({"policy": policy.document(), "fingerprint": policy.fingerprint}, headers={})
