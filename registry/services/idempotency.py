"""Operation ids: what makes a repeated call harmless."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..domain import identifiers
from ..domain.commands import Command
from ..domain.errors import OperationConflict
from ..domain.identifiers import TenantId
from ..domain.models import ModelMetadata
from ..ledger.ledger import Ledger
from ..ledger.unit_of_work import ModelUnitOfWork


@dataclass(frozen=True)
class Request:
    """One call that changes something: its operation id, and the fingerprint of what it asks.

    ``named`` is false where the caller gave no id; nobody can then repeat the call, so nothing
    has to be looked up for it.
    """

    operation_id: str
    fingerprint: str
    named: bool


def request(operation_id: str | None, command: Command) -> Request:
    """The request of a call. Two calls are the same request when their commands are.

    Raises :class:`InvalidName` for a malformed id, :class:`InvalidInput` for odd arguments.
    """
    fingerprint = command.fingerprint()
    if operation_id is None:
        return Request(str(uuid.uuid4()), fingerprint, named=False)
    return Request(identifiers.operation_id(operation_id), fingerprint, named=True)


async def earlier_answer(
    ledger: Ledger, tenant: TenantId, asked: Request
) -> Mapping[str, Any] | None:
    """What this request was answered before; None if it has not committed.

    Raises :class:`OperationConflict` if its id belongs to another request.
    """
    if not asked.named:
        return None
    found = await ledger.read.operation(tenant, asked.operation_id)
    if found is None:
        return None
    if found.request != asked.fingerprint:
        raise OperationConflict(asked.operation_id)
    return found.answer


async def answer_in(book: ModelUnitOfWork, asked: Request) -> Mapping[str, Any] | None:
    """:func:`earlier_answer`, seen with the model locked: two of the same call cannot both act."""
    if not asked.named:
        return None
    return await book.answer_of(asked.operation_id, asked.fingerprint)


def model_answer(metadata: ModelMetadata) -> dict[str, Any]:
    """The answer to keep for an operation that returns a model.

    The list of versions is left out: it grows without bound, and a repetition takes today's.
    """
    return {"model": replace(metadata, versions=()).document()}


async def answered_model(
    ledger: Ledger, tenant: TenantId, answer: Mapping[str, Any]
) -> ModelMetadata:
    """The model that :func:`model_answer` kept."""
    document = dict(answer["model"])
    today = await ledger.read.model(tenant, identifiers.model_id(document["model_id"]))
    document["versions"] = today.versions if today else ()
    return ModelMetadata.from_document(document)
