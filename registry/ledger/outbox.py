"""The outbox: rows for the changes that MLflow may not show yet.

A row is written in the transaction of its change and removed once MLflow shows the change."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from .tables import models, projections
from .upsert import insert_into

_EPOCH = (
    select(models.c.epoch)
    .where(models.c.tenant_id == bindparam("tenant"), models.c.model_id == bindparam("model"))
    .scalar_subquery()
)
# Made once: putting it together takes longer than the database takes to answer it.
_REMOVE = delete(projections).where(
    projections.c.tenant_id == bindparam("tenant"),
    projections.c.model_id == bindparam("model"),
    projections.c.token.in_(bindparam("tokens", expanding=True)),
    bindparam("epoch") == _EPOCH,
)


async def add(
    connection: AsyncConnection,
    tenant: str,
    model: str,
    versions: Iterable[int],
    token: str,
    now: datetime,
) -> None:
    """Add the row ``token``, unless it is there."""
    await connection.execute(
        insert_into(connection, projections).on_conflict_do_nothing(),
        {
            "tenant_id": tenant,
            "model_id": model,
            "token": token,
            "versions": sorted(set(versions)),
            "written_at": now,
        },
    )


async def remove(
    connection: AsyncConnection, tenant: str, model: str, tokens: Iterable[str], epoch: int
) -> bool:
    """Remove these rows if the model is still at ``epoch``; whether any was removed."""
    removed = await connection.execute(
        _REMOVE, {"tenant": tenant, "model": model, "tokens": list(tokens), "epoch": epoch}
    )
    return bool(removed.rowcount)
