"""The caller: tenant and principal of a verified credential."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from model_lifecycle.registry.domain.authorization import Action, Principal, require


class NotAuthenticated(Exception):
    """There is no credential, or not a valid one. The message says no more than that."""


@dataclass(frozen=True)
class Caller:
    """``tenant_id`` comes from the credential alone, never from header, query or body."""

    tenant_id: str
    principal: Principal


#: From a request to its caller. Raises NotAuthenticated, PermissionDenied for a caller who is
#: known but has no tenant here, and BackendUnavailable.
Authenticate = Callable[[Request], Awaitable[Caller]]


def permitted(action: Action) -> Callable[[Request], Awaitable[Caller]]:
    """The dependency of routes that need a role: it runs before a body is read or a store queried.

    The core asks again for what it writes; for reads this is the check.
    """

    async def caller(request: Request) -> Caller:
        authenticated: Caller = request.state.caller
        require(authenticated.principal, action)
        return authenticated

    return caller


Reader = Annotated[Caller, Depends(permitted(Action.READ))]
ModelRegister = Annotated[Caller, Depends(permitted(Action.REGISTER))]
Gatekeeper = Annotated[Caller, Depends(permitted(Action.RECORD_EVIDENCE))]
PolicySetter = Annotated[Caller, Depends(permitted(Action.SET_POLICY))]
ModelPromote = Annotated[Caller, Depends(permitted(Action.MOVE_STAGE))]
ModelRollback = Annotated[Caller, Depends(permitted(Action.ROLL_BACK))]
ModelErase = Annotated[Caller, Depends(permitted(Action.ERASE))]
ModelDelete = Annotated[Caller, Depends(permitted(Action.DELETE))]
