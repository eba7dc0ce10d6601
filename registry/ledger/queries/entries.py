"""Reads of ledger entries, operations and the outbox."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    bindparam,
    select,
)

from ...domain.identifiers import ModelId, TenantId
from ...domain.models import EntryKind, LedgerEntry
from .. import tables
from ..engine import read
from ..mappers import (
    Operation,
    ledger_entry,
    operation,
)
from .reader import Reader, of_model

#: Entries named in one query.
_AT_ONCE = 10_000
_OPERATION = select(tables.operations).where(
    tables.operations.c.tenant_id == bindparam("tenant"),
    tables.operations.c.operation_id == bindparam("operation"),
)


class EntryQueries(Reader):
    """Reads of ledger entries, operations and the outbox."""

    async def entries(
        self, tenant: TenantId, model: ModelId, *, after: int = 0, limit: int | None = None
    ) -> list[LedgerEntry]:
        """Entries with a sequence above ``after``, oldest first; all of them without ``limit``,
        however long that takes."""
        query = (
            select(tables.entries)
            .where(*of_model(tables.entries, tenant, model), tables.entries.c.sequence > after)
            .order_by(tables.entries.c.sequence)
        )
        engine = self._patient if limit is None else self._engine
        return [ledger_entry(row) for row in await read(engine, query.limit(limit))]

    async def entry_of(
        self, tenant: TenantId, model: ModelId, operation_id: str
    ) -> LedgerEntry | None:
        """The entry that the operation appended; None if it has appended none."""
        entries = tables.entries
        rows = await self._rows(
            select(entries)
            .where(*of_model(entries, tenant, model), entries.c.operation_id == operation_id)
            .order_by(entries.c.sequence.desc())
            .limit(1)
        )
        return ledger_entry(rows[0]) if rows else None

    async def entry_hashes(
        self, tenant: TenantId, model: ModelId, sequences: Iterable[int]
    ) -> dict[int, str]:
        """The hashes of these entries by sequence; absent: there is no such entry."""
        entries, ordered = tables.entries, sorted(sequences)
        hashes: dict[int, str] = {}
        for start in range(0, len(ordered), _AT_ONCE):
            rows = await self._rows(
                select(entries.c.sequence, entries.c.hash).where(
                    *of_model(entries, tenant, model),
                    entries.c.sequence.in_(ordered[start : start + _AT_ONCE]),
                )
            )
            hashes |= {row["sequence"]: row["hash"] for row in rows}
        return hashes

    async def details(
        self, tenant: TenantId, model: ModelId, kind: EntryKind
    ) -> list[Mapping[str, Any]]:
        """The details of the model's entries of one kind, oldest first."""
        entries = tables.entries
        rows = await self._rows(
            select(entries.c.detail)
            .where(*of_model(entries, tenant, model), entries.c.kind == kind.value)
            .order_by(entries.c.sequence)
        )
        return [row["detail"] for row in rows]

    async def entry_at(
        self, tenant: TenantId, model: ModelId, when: datetime
    ) -> LedgerEntry | None:
        """The last entry at or before ``when``; None if the model did not exist."""
        rows = await self._rows(
            select(tables.entries)
            .where(*of_model(tables.entries, tenant, model), tables.entries.c.at <= when)
            .order_by(tables.entries.c.at.desc())
            .limit(1)
        )
        return ledger_entry(rows[0]) if rows else None

    async def operation(self, tenant: TenantId, operation_id: str) -> Operation | None:
        """The tenant's operation with this id, committed or pending."""
        rows = await read(self._engine, _OPERATION, {"tenant": tenant, "operation": operation_id})
        return operation(rows[0]) if rows else None

    async def begun_models(self, tenant: TenantId | None) -> set[tuple[TenantId, ModelId]]:
        """Models with operations that were begun and have not committed."""
        operations = tables.operations
        query = select(operations.c.tenant_id, operations.c.model_id).distinct()
        query = query.where(operations.c.answer.is_(None))
        if tenant is not None:
            query = query.where(operations.c.tenant_id == tenant)
        rows = await self._rows(query)
        return {(TenantId(row["tenant_id"]), ModelId(row["model_id"])) for row in rows}

    async def pending_operations(self, tenant: TenantId, model: ModelId) -> list[Operation]:
        """The model's operations that were begun and have not committed, oldest first."""
        rows = await self._rows(
            select(tables.operations)
            .where(
                *of_model(tables.operations, tenant, model), tables.operations.c.answer.is_(None)
            )
            .order_by(tables.operations.c.started_at)
        )
        return [operation(row) for row in rows]

    async def projections(self, tenant: TenantId, model: ModelId) -> list[Mapping[str, Any]]:
        """Outbox rows of changes that MLflow may not show yet, oldest first."""
        return await self._rows(
            select(tables.projections)
            .where(*of_model(tables.projections, tenant, model))
            .where(tables.projections.c.finished_at.is_(None))
            .order_by(tables.projections.c.written_at)
        )
