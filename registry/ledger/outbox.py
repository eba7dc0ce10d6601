"""The outbox: rows for the changes that MLflow may not show yet.

A row is written in the transaction of its change, by the writer that then shows the change in
MLflow and finishes the row. A row that is not finished within seconds belongs to a writer that was
killed, cancelled or cut off from MLflow: a sweeper claims it and does that writer's work. Finished
rows stay as a record for subscribers, until ``prune`` removes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..domain.models import LedgerEntry, StageMove
from .tables import models, projections
from .upsert import insert_into

#: So long the writer of a row has to itself; nearly all need less than a second.
GRACE = timedelta(seconds=3)
#: So long after a row was written, or requeued, a request of its writer may still arrive at MLflow.
#: A sweeper shows the change at once, and looks again at the end of this time.
SETTLING = timedelta(seconds=20)
#: So long a sweeper has for the rows that it claimed, before another one may claim them.
LEASE = timedelta(seconds=60)

_EPOCH = (
    select(models.c.epoch)
    .where(models.c.tenant_id == bindparam("tenant"), models.c.model_id == bindparam("model"))
    .scalar_subquery()
)
# Made once: putting it together takes longer than the database takes to answer it.
_FINISH = (
    update(projections)
    .where(
        projections.c.tenant_id == bindparam("tenant"),
        projections.c.model_id == bindparam("model"),
        projections.c.token.in_(bindparam("tokens", expanding=True)),
        projections.c.finished_at.is_(None),
        bindparam("epoch") == _EPOCH,
    )
    .values(finished_at=bindparam("now"))
)
_PENDING = projections.c.finished_at.is_(None)
_KEY = tuple_(projections.c.tenant_id, projections.c.model_id, projections.c.token)


@dataclass(frozen=True)
class OutboxRow:
    """A row that a sweeper has claimed. ``settles_at`` is when no request of its writer is on its
    way any more."""

    tenant_id: str
    model_id: str
    token: str
    versions: tuple[int, ...]
    attempts: int
    settles_at: datetime

    @property
    def key(self) -> tuple[str, str, str]:
        return self.tenant_id, self.model_id, self.token


async def add(
    connection: AsyncConnection,
    token: str,
    entry: LedgerEntry,
    moves: Collection[StageMove],
    now: datetime,
) -> None:
    """Add the row of a change, of which ``entry`` is the last entry and ``moves`` are all moves."""
    await connection.execute(
        insert(projections),
        {
            "tenant_id": entry.tenant_id,
            "model_id": entry.model_id,
            "token": token,
            "versions": sorted({move.version for move in moves}),
            "written_at": now,
            "kind": entry.kind.value,
            "actor": entry.actor,
            "sequence": entry.sequence,
            "before": _state(
                entry.previous_production,
                {move.version: move.source.value if move.source else None for move in moves},
            ),
            "after": _state(entry.production, {move.version: move.target.value for move in moves}),
        },
    )


async def requeue(
    connection: AsyncConnection,
    tenant: str,
    model: str,
    versions: Iterable[int],
    token: str,
    now: datetime,
) -> None:
    """Make the row ``token`` pending again, and add it if it is not there any more."""
    again = {"finished_at": None, "next_attempt_at": now, "settles_at": now + SETTLING}
    await connection.execute(
        insert_into(connection, projections).on_conflict_do_update(
            index_elements=[projections.c.tenant_id, projections.c.model_id, projections.c.token],
            set_=again,
        ),
        {
            "tenant_id": tenant,
            "model_id": model,
            "token": token,
            "versions": sorted(set(versions)),
            "written_at": now,
            **again,
        },
    )


async def finish(
    connection: AsyncConnection,
    tenant: str,
    model: str,
    tokens: Iterable[str],
    epoch: int,
    now: datetime,
) -> bool:
    """Finish these rows if the model is still at ``epoch``; whether any was pending."""
    finished = await connection.execute(
        _FINISH,
        {"tenant": tenant, "model": model, "tokens": list(tokens), "epoch": epoch, "now": now},
    )
    return bool(finished.rowcount)


async def status(connection: AsyncConnection) -> tuple[int, datetime | None]:
    """The number of pending rows, and when the oldest was written."""
    rows = await connection.execute(
        select(func.count(), func.min(projections.c.written_at)).where(_PENDING)
    )
    count, oldest = rows.one()
    return count, oldest


async def is_due(connection: AsyncConnection, now: datetime) -> bool:
    """Whether :func:`claim` would claim a row."""
    rows = await connection.execute(select(projections.c.token).where(*_due(now)).limit(1))
    return rows.first() is not None


async def claim(connection: AsyncConnection, now: datetime, limit: int) -> list[OutboxRow]:
    """Claim at most ``limit`` due rows, the oldest first: no other sweeper claims them before
    the lease has ended. A row that another transaction has locked is passed over."""
    rows = await connection.execute(
        select(projections)
        .where(*_due(now))
        .order_by(projections.c.written_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = [_outbox_row(dict(row)) for row in rows.mappings()]
    if claimed:
        await connection.execute(
            update(projections)
            .where(_KEY.in_([row.key for row in claimed]))
            .values(next_attempt_at=now + LEASE, attempts=projections.c.attempts + 1)
        )
    return claimed


async def postpone(
    connection: AsyncConnection, keys: Collection[tuple[str, str, str]], until: datetime
) -> None:
    """Leave the rows with these keys, where they are still pending, to a sweep after ``until``."""
    await connection.execute(
        update(projections).where(_KEY.in_(list(keys)), _PENDING).values(next_attempt_at=until)
    )


def _due(now: datetime) -> tuple[Any, ...]:
    columns = projections.c
    return _PENDING, or_(
        and_(columns.next_attempt_at.is_(None), columns.written_at <= now - GRACE),
        columns.next_attempt_at <= now,
    )


def _outbox_row(row: Mapping[str, Any]) -> OutboxRow:
    return OutboxRow(
        tenant_id=row["tenant_id"],
        model_id=row["model_id"],
        token=row["token"],
        versions=tuple(row["versions"]),
        attempts=row["attempts"] + 1,
        settles_at=row["settles_at"] or row["written_at"] + SETTLING,
    )


def _state(production: int | None, stages: Mapping[int, str | None]) -> dict[str, Any]:
    """The production version, and the stage of each version that moved; null where it was not
    there yet."""
    return {
        "production_version": production,
        "stages": {str(version): stage for version, stage in sorted(stages.items())},
    }
