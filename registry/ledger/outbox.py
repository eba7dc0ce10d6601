"""Notes of changes that MLflow may not show yet: whoever finds one knows that somebody did not
finish. Written with each change, removed once MLflow shows it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from .tables import models, projections
from .upsert import insert_into


async def leave(
    connection: AsyncConnection,
    tenant: str,
    model: str,
    versions: Iterable[int],
    token: str,
    now: datetime,
) -> None:
    """Leave the note ``token``, unless it is there."""
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
    """Remove these notes if the model is still at ``epoch``; whether any was removed."""
    now = (
        select(models.c.epoch)
        .where(models.c.tenant_id == tenant, models.c.model_id == model)
        .scalar_subquery()
    )
    removed = await connection.execute(
        delete(projections).where(
            projections.c.tenant_id == tenant,
            projections.c.model_id == model,
            projections.c.token.in_(list(tokens)),
            now == epoch,
        )
    )
    return bool(removed.rowcount)
