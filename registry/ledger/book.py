"""One model's open book: its row locked, its changes appended, all within one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, insert, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..rules.errors import AlreadyExists, ModelNotFound, OperationConflict, VersionNotFound
from ..rules.evidence import Evidence
from ..rules.metadata import (
    EntryKind,
    LedgerEntry,
    ModelMetadata,
    StageMove,
    VersionMetadata,
)
from ..rules.policy import PromotionPolicy
from ..rules.stages import Stage
from ..rules.tenancy import ModelId, TenantId
from . import tables
from .chain import sealed
from .reading import model_metadata
from .rows import (
    ModelRow,
    entry_values,
    evidence_item,
    evidence_values,
    ledger_entry,
    version_metadata,
    version_values,
)


class ModelBook:
    """Reads and changes one model while its row is locked; everything commits together."""

    def __init__(
        self, connection: AsyncConnection, model: ModelRow, clock: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._clock = clock
        self.model = model

    async def answer_of(self, operation_id: str, request: str) -> dict[str, Any] | None:
        """What the operation was answered when it committed; None if it has not.

        Raises :class:`OperationConflict` if the id belongs to another request.
        """
        operations = tables.operations
        row = (
            await self._connection.execute(
                select(operations.c.request, operations.c.answer).where(
                    operations.c.tenant_id == self.model.tenant_id,
                    operations.c.operation_id == operation_id,
                )
            )
        ).first()
        if row is None:
            return None
        if row.request != request:
            raise OperationConflict(operation_id)
        answer: dict[str, Any] | None = row.answer
        return answer

    async def version(self, version: int) -> VersionMetadata:
        """The version, whatever its stage. Raises :class:`VersionNotFound`, also if deleted."""
        found = await self._versions(tables.versions.c.version == version)
        if not found or found[0].stage is Stage.DELETED:
            raise VersionNotFound(self.model.model_id, version)
        return found[0]

    async def versions(self, *, deleted: bool = False) -> list[VersionMetadata]:
        """All versions, ascending; those that were deleted only with ``deleted``."""
        condition = tables.versions.c.stage != Stage.DELETED.value
        return await self._versions(true() if deleted else condition)

    async def evidence(self, version: int) -> list[Evidence]:
        """All evidence recorded for the version, oldest first."""
        rows = await self._connection.execute(
            self._of_model(tables.evidence)
            .where(tables.evidence.c.version == version)
            .order_by(tables.evidence.c.recorded_at)
        )
        return [evidence_item(dict(row)) for row in rows.mappings()]

    async def last_production(self, *, stage: Stage) -> int | None:
        """The version, now in ``stage``, that was in production most recently; None if none."""
        entries, versions = tables.entries, tables.versions
        return await self._connection.scalar(
            select(entries.c.production)
            .join(
                versions,
                (versions.c.tenant_id == entries.c.tenant_id)
                & (versions.c.model_id == entries.c.model_id)
                & (versions.c.version == entries.c.production),
            )
            .where(
                entries.c.tenant_id == self.model.tenant_id,
                entries.c.model_id == self.model.model_id,
                versions.c.stage == stage.value,
            )
            .order_by(entries.c.sequence.desc())
            .limit(1)
        )

    async def add_version(self, version: VersionMetadata) -> None:
        """Insert a version; its entry follows with :meth:`append`. Raises AlreadyExists."""
        try:
            await self._connection.execute(insert(tables.versions).values(version_values(version)))
        except IntegrityError as error:
            raise AlreadyExists(
                f"version {version.version} of {version.model_id} is in the ledger already"
            ) from error

    async def add_evidence(self, item: Evidence) -> None:
        await self._connection.execute(insert(tables.evidence).values(evidence_values(item)))

    async def find_evidence(self, evidence_id: str) -> Evidence | None:
        """Evidence of the tenant by its id, of whichever model."""
        rows = await self._connection.execute(
            select(tables.evidence).where(
                tables.evidence.c.tenant_id == self.model.tenant_id,
                tables.evidence.c.evidence_id == evidence_id,
            )
        )
        row = rows.mappings().first()
        return evidence_item(dict(row)) if row else None

    async def set_policy(self, policy: PromotionPolicy) -> None:
        await self._update_model(policy=policy.document(), policy_fingerprint=policy.fingerprint)
        self.model = replace(self.model, policy=policy, policy_fingerprint=policy.fingerprint)

    async def append(
        self,
        kind: EntryKind,
        *,
        actor: str,
        reason: str,
        operation_id: str,
        moves: Iterable[StageMove] = (),
        evidence: Iterable[Evidence] = (),
        forced: bool = False,
        detail: Mapping[str, Any] | None = None,
    ) -> LedgerEntry:
        """Append one entry and apply its moves: the commit point, once the transaction ends.

        The entry's time is after that of the entry before it, so that the order of entries and
        the order of times agree.
        """
        moves = tuple(moves)
        now = max(self._clock(), self.model.updated_at + timedelta(microseconds=1))
        production = self._production_after(moves)
        entry = sealed(
            LedgerEntry(
                tenant_id=self.model.tenant_id,
                model_id=self.model.model_id,
                sequence=self.model.epoch + 1,
                kind=kind,
                at=now,
                actor=actor,
                reason=reason,
                moves=moves,
                production=production,
                previous_production=self.model.production_version,
                evidence=tuple(_reference(item) for item in evidence),
                forced=forced,
                operation_id=operation_id,
                detail=dict(detail or {}),
                previous_hash=self.model.head_hash,
                hash="",
            )
        )
        await self._connection.execute(insert(tables.entries).values(entry_values(entry)))
        await self._apply(moves, now)
        await self._close(entry)
        return entry

    async def answer(self, operation_id: str, request: str, answer: Mapping[str, Any]) -> None:
        """Keep what this operation is answered, for its repetitions."""
        key = (
            tables.operations.c.tenant_id == self.model.tenant_id,
            tables.operations.c.operation_id == operation_id,
        )
        finished = await self._connection.execute(
            update(tables.operations)
            .where(*key, tables.operations.c.request == request)
            .values(answer=dict(answer), plan=None)
        )
        if finished.rowcount:
            return
        try:
            await self._connection.execute(
                insert(tables.operations).values(
                    tenant_id=self.model.tenant_id,
                    operation_id=operation_id,
                    model_id=self.model.model_id,
                    request=request,
                    started_at=self._clock(),
                    answer=dict(answer),
                )
            )
        except IntegrityError as error:
            raise OperationConflict(operation_id) from error

    async def announce(self, versions: Iterable[int]) -> str:
        """Note that MLflow has to follow for these versions; the token of the note."""
        token = str(uuid.uuid4())
        await self._connection.execute(
            insert(tables.projections).values(
                tenant_id=self.model.tenant_id,
                model_id=self.model.model_id,
                token=token,
                versions=sorted(set(versions)),
                written_at=self._clock(),
            )
        )
        return token

    async def metadata(self) -> ModelMetadata:
        """The model as readers will see it once the transaction ends. Raises ModelNotFound when
        all its versions were deleted."""
        found = await model_metadata(
            self._connection, TenantId(self.model.tenant_id), ModelId(self.model.model_id)
        )
        if found is None:
            raise ModelNotFound(self.model.model_id)
        return found

    async def entries(self) -> list[LedgerEntry]:
        rows = await self._connection.execute(
            self._of_model(tables.entries).order_by(tables.entries.c.sequence)
        )
        return [ledger_entry(dict(row)) for row in rows.mappings()]

    def _production_after(self, moves: tuple[StageMove, ...]) -> int | None:
        production = self.model.production_version
        for move in moves:
            if move.source is Stage.PRODUCTION and move.version == production:
                production = None
        for move in moves:
            if move.target is Stage.PRODUCTION:
                production = move.version
        return production

    async def _apply(self, moves: tuple[StageMove, ...], now: datetime) -> None:
        # Out of production before into it: the database refuses a second production version.
        for move in sorted(moves, key=lambda move: move.target is Stage.PRODUCTION):
            await self._connection.execute(
                update(tables.versions)
                .where(
                    tables.versions.c.tenant_id == self.model.tenant_id,
                    tables.versions.c.model_id == self.model.model_id,
                    tables.versions.c.version == move.version,
                )
                .values(stage=move.target.value, updated_at=now)
            )

    async def _close(self, entry: LedgerEntry) -> None:
        current = await self._current(entry.production)
        await self._update_model(
            epoch=entry.sequence,
            head_hash=entry.hash,
            production_version=entry.production,
            current_version=current.version if current else None,
            stage=current.stage.value if current else None,
            framework=current.framework if current else None,
            updated_at=entry.at,
        )
        self.model = replace(
            self.model,
            epoch=entry.sequence,
            head_hash=entry.hash,
            production_version=entry.production,
            current_version=current.version if current else None,
            updated_at=entry.at,
        )

    async def _current(self, production: int | None) -> VersionMetadata | None:
        """The production version, else the newest in staging, else the newest."""
        versions = tables.versions
        if production is not None:
            return (await self._versions(versions.c.version == production))[0]
        for condition in (
            versions.c.stage == Stage.STAGING.value,
            versions.c.stage != Stage.DELETED.value,
        ):
            query = self._of_model(versions).where(condition)
            rows = await self._connection.execute(
                query.order_by(versions.c.version.desc()).limit(1)
            )
            row = rows.mappings().first()
            if row:
                return version_metadata(dict(row))
        return None

    async def _versions(self, condition: Any) -> list[VersionMetadata]:
        rows = await self._connection.execute(
            self._of_model(tables.versions).where(condition).order_by(tables.versions.c.version)
        )
        return [version_metadata(dict(row)) for row in rows.mappings()]

    async def _update_model(self, **values: Any) -> None:
        await self._connection.execute(
            update(tables.models)
            .where(
                tables.models.c.tenant_id == self.model.tenant_id,
                tables.models.c.model_id == self.model.model_id,
            )
            .values(**values)
        )

    def _of_model(self, table: Any) -> Select[Any]:
        return select(table).where(
            table.c.tenant_id == self.model.tenant_id, table.c.model_id == self.model.model_id
        )


def _reference(item: Evidence) -> dict[str, Any]:
    return {
        "evidence_id": item.evidence_id,
        "gate": item.gate.value,
        "verdict": item.verdict.value,
        "digest": item.digest(),
    }
