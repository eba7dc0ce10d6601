"""Operation ids: they make writes idempotent."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..concurrency import run_concurrently
from ..domain import identifiers
from ..domain.commands import Command
from ..domain.errors import OperationConflict
from ..domain.identifiers import TenantId
from ..domain.models import ModelMetadata, Receipt
from ..ledger.ledger import Ledger
from ..ledger.unit_of_work import ModelUnitOfWork


@dataclass(frozen=True)
class IdempotentRequest:
    """One write: its operation id, and the fingerprint of its command.

    ``named`` is false where the caller gave no id: the call cannot be repeated then, so no stored
    response is looked up.
    """

    operation_id: str
    fingerprint: str
    named: bool


def idempotent_request(operation_id: str | None, command: Command) -> IdempotentRequest:
    """The request of a call. Two calls are the same request when their commands are.

    Raises :class:`InvalidName` for a malformed id, :class:`InvalidInput` for odd arguments.
    """
    fingerprint = command.fingerprint()
    if operation_id is None:
        return IdempotentRequest(str(uuid.uuid4()), fingerprint, named=False)
    return IdempotentRequest(identifiers.operation_id(operation_id), fingerprint, named=True)


async def stored_response(
    ledger: Ledger, tenant: TenantId, request: IdempotentRequest
) -> Mapping[str, Any] | None:
    """The response that was stored for this request; None if it has not committed.

    Raises :class:`OperationConflict` if its id belongs to another request.
    """
    if not request.named:
        return None
    operation = await ledger.read.operation(tenant, request.operation_id)
    if operation is None:
        return None
    if operation.request != request.fingerprint:
        raise OperationConflict(request.operation_id)
    return operation.answer


async def stored_response_locked(
    work: ModelUnitOfWork, request: IdempotentRequest
) -> Mapping[str, Any] | None:
    """:func:`stored_response` while the model is locked: of two equal calls at once, one acts."""
    if not request.named:
        return None
    return await work.stored_response(request.operation_id, request.fingerprint)


def model_response(metadata: ModelMetadata) -> dict[str, Any]:
    """The response to store for an operation that returns a model.

    The list of versions is left out: it grows without bound, and a repetition takes today's.
    """
    return {"model": replace(metadata, versions=()).document()}


async def restore_response(
    ledger: Ledger, tenant: TenantId, response: Mapping[str, Any], operation_id: str
) -> ModelMetadata:
    """The model that :func:`model_response` stored for the operation, with today's versions, the
    operation's entry, and the model as it is now."""
    document = dict(response["model"])
    model = identifiers.model_id(document["model_id"])
    today, entry = await run_concurrently(
        ledger.read.model(tenant, model), ledger.read.entry_of(tenant, model, operation_id)
    )
    document["versions"] = today.versions if today else ()
    receipt = Receipt(entry, replayed=True, current=today) if entry else None
    return replace(ModelMetadata.from_document(document), receipt=receipt)
