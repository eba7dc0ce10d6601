"""The table of operations: which calls were begun, and what each was answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..domain.errors import OperationConflict
from .mappers import Operation, operation
from .tables import operations
from .upsert import insert_into

# Made once: putting it together takes longer than the database takes to answer it.
_ANSWER = select(operations.c.request, operations.c.answer).where(
    operations.c.tenant_id == bindparam("tenant"),
    operations.c.operation_id == bindparam("operation"),
)


async def begin(
    connection: AsyncConnection,
    tenant: str,
    model: str,
    operation_id: str,
    request: str,
    plan: Mapping[str, Any],
    now: datetime,
) -> Operation:
    """Reserve the operation, or find it again. Raises :class:`OperationConflict`."""
    begun = await connection.execute(
        insert_into(connection, operations)
        .values(
            tenant_id=tenant,
            operation_id=operation_id,
            model_id=model,
            request=request,
            started_at=now,
            plan=dict(plan),
        )
        .on_conflict_do_nothing()
    )
    rows = await connection.execute(select(operations).where(*_key(tenant, operation_id)))
    begun_operation = operation(dict(rows.mappings().one()), repeated=not begun.rowcount)
    if begun_operation.request != request:
        raise OperationConflict(operation_id)
    return begun_operation


async def add_to_plan(
    connection: AsyncConnection, tenant: str, operation_id: str, addition: Mapping[str, Any]
) -> dict[str, Any]:
    """Record in the plan of a begun operation what it lacks of ``addition``; the addition as it is
    recorded now. Of two attempts at an operation the first decides; where the operation was
    answered or forgotten meanwhile, nothing is recorded."""
    rows = await connection.execute(
        select(operations.c.plan).where(*_key(tenant, operation_id)).with_for_update()
    )
    plan = rows.scalar()
    if plan is None:
        return dict(addition)
    recorded = {
        key: value if plan.get(key) is None else plan[key] for key, value in addition.items()
    }
    await connection.execute(
        update(operations).where(*_key(tenant, operation_id)), {"plan": {**plan, **recorded}}
    )
    return recorded


async def abandon(connection: AsyncConnection, tenant: str, operation_id: str) -> None:
    """Forget an operation, unless it was answered."""
    await connection.execute(
        delete(operations).where(*_key(tenant, operation_id), operations.c.answer.is_(None))
    )


async def stored_response(
    connection: AsyncConnection, tenant: str, operation_id: str, request: str
) -> dict[str, Any] | None:
    """The stored response of the operation, or None. Raises :class:`OperationConflict` if
    the id belongs to another request."""
    rows = await connection.execute(_ANSWER, {"tenant": tenant, "operation": operation_id})
    row = rows.first()
    if row is None:
        return None
    if row.request != request:
        raise OperationConflict(operation_id)
    answer: dict[str, Any] | None = row.answer
    return answer


async def keep_answer(
    connection: AsyncConnection,
    tenant: str,
    model: str,
    operation_id: str,
    request: str,
    answer: Mapping[str, Any],
    now: datetime,
) -> None:
    """Keep the answer, whether the operation was begun or not. Raises :class:`OperationConflict`
    if the id belongs to another request."""
    statement = insert_into(connection, operations)
    stored = await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[operations.c.tenant_id, operations.c.operation_id],
            set_={"answer": statement.excluded.answer, "plan": None},
            where=operations.c.request == statement.excluded.request,
        ),
        {
            "tenant_id": tenant,
            "operation_id": operation_id,
            "model_id": model,
            "request": request,
            "started_at": now,
            "answer": dict(answer),
        },
    )
    if not stored.rowcount:
        raise OperationConflict(operation_id)


def _key(tenant: str, operation_id: str) -> tuple[Any, Any]:
    return operations.c.tenant_id == tenant, operations.c.operation_id == operation_id
