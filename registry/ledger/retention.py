"""Removes rows that nobody needs any more: answered operations and finished rows of the outbox.

Entries, evidence and versions are the record, and are never removed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Table, delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from ..domain.errors import InvalidInput
from ..domain.models import PruneCounts
from .clock import LedgerClock
from .engine import reading, writing
from .tables import operations, projections

#: A task may be retried for days: what is younger is never removed.
MINIMUM_AGE = timedelta(days=7)
#: Rows in one transaction: a writer waits for at most one of them.
_BATCH = 5_000


class Retention:
    """``engine`` is one for work that takes longer than a request."""

    def __init__(self, engine: AsyncEngine, clock: LedgerClock) -> None:
        self._engine = engine
        self._clock = clock

    async def count(self, older_than: timedelta) -> PruneCounts:
        """How many rows :meth:`prune` would remove. Raises :class:`InvalidInput`."""
        before = self._before(older_than)
        counts = []
        async with reading(self._engine) as connection:
            for table, condition in _removable(before):
                query = select(func.count()).select_from(table).where(*condition)
                counts.append(await connection.scalar(query) or 0)
        return PruneCounts(operations=counts[0], outbox=counts[1], before=before)

    async def prune(self, older_than: timedelta) -> PruneCounts:
        """Remove answered operations that began before the cut-off, and rows of the outbox that
        were finished before it; how many. One that is interrupted is continued by the next.

        Raises :class:`InvalidInput` for an age below MINIMUM_AGE.
        """
        before = self._before(older_than)
        counts = []
        for table, condition in _removable(before):
            removed, last = 0, _BATCH
            while last == _BATCH:
                last = await self._remove(table, condition)
                removed += last
            counts.append(removed)
        return PruneCounts(operations=counts[0], outbox=counts[1], before=before)

    async def _remove(self, table: Table, condition: tuple[Any, ...]) -> int:
        key: list[Column[Any]] = list(table.primary_key.columns)
        batch = select(*key).where(*condition).limit(_BATCH)
        async with writing(self._engine, f"the ledger's {table.name}") as connection:
            removed = await connection.execute(delete(table).where(tuple_(*key).in_(batch)))
            return removed.rowcount

    def _before(self, older_than: timedelta) -> datetime:
        if older_than < MINIMUM_AGE:
            raise InvalidInput(
                f"rows are kept for at least {MINIMUM_AGE.days} days, as a task that is retried "
                "needs them; nothing was removed",
                field="older_than",
            )
        return self._clock.now() - older_than


def _removable(before: datetime) -> list[tuple[Table, tuple[Any, ...]]]:
    """The tables, each with the condition of its removable rows: never a pending one."""
    columns = operations.c
    return [
        (operations, (columns.answer.is_not(None), columns.started_at < before)),
        (projections, (projections.c.finished_at < before,)),
    ]
