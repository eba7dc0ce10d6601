"""One model's unit of work: its row locked, its changes appended, all within one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Table, bindparam, func, insert, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..attestation.hash_chain import sealed
from ..domain.errors import AlreadyExists, ModelNotFound, VersionNotFound
from ..domain.evidence import Evidence
from ..domain.models import EntryKind, LedgerEntry, ModelMetadata, StageMove, VersionMetadata
from ..domain.promotion_policy import PromotionPolicy
from ..domain.stage_record import StageRecord
from ..domain.stages import Stage
from . import idempotency_keys, outbox, tables
from .clock import ClockReading, LedgerClock
from .evidence_chain import next_hash, seal
from .mappers import (
    Change,
    ModelRow,
    entry_values,
    evidence_item,
    evidence_values,
    model_metadata,
    stage_record,
    version_metadata,
    version_values,
)
from .stage_moves import apply_moves


def _of_model(table: Table) -> tuple[Any, Any]:
    return table.c.tenant_id == bindparam("tenant"), table.c.model_id == bindparam("model")


# Made once: putting a statement together takes longer than the database takes to answer it.
_EVIDENCE = (
    select(tables.evidence)
    .where(*_of_model(tables.evidence), tables.evidence.c.version == bindparam("version"))
    .order_by(tables.evidence.c.position, tables.evidence.c.recorded_at)
)
_NUMBERS = (
    select(tables.versions.c.version)
    .where(*_of_model(tables.versions), tables.versions.c.stage != Stage.DELETED.value)
    .order_by(tables.versions.c.version)
)


class ModelUnitOfWork:
    """Reads and changes one model while its row is locked; everything commits together."""

    def __init__(self, connection: AsyncConnection, model: ModelRow, clock: LedgerClock) -> None:
        self._connection = connection
        self._ledger_clock = clock
        self._clock = clock.now
        self._opened_at = model
        self._moves: list[StageMove] = []
        self._entry: LedgerEntry | None = None
        # Versions that were read or created here, as they are now: nobody else writes meanwhile.
        self._known: dict[int, VersionMetadata] = {}
        self._records: dict[int, StageRecord] = {}
        self.model = model

    @property
    def connection(self) -> AsyncConnection:
        """The open transaction, for reads that see what this unit of work sees."""
        return self._connection

    @property
    def clock(self) -> ClockReading:
        """The ledger's time now."""
        return self._ledger_clock.read()

    async def stored_response(self, operation_id: str, request: str) -> dict[str, Any] | None:
        """The response that the operation stored when it committed; None if it has not.

        Raises :class:`OperationConflict` if the id belongs to another request.
        """
        return await idempotency_keys.stored_response(
            self._connection, self.model.tenant_id, operation_id, request
        )

    async def version(self, version: int) -> VersionMetadata:
        """The version, whatever its stage. Raises :class:`VersionNotFound`, also if deleted."""
        versions = await self._versions(tables.versions.c.version == version)
        if not versions or versions[0].stage is Stage.DELETED:
            raise VersionNotFound(self.model.model_id, version)
        return versions[0]

    def record(self, version: int) -> StageRecord:
        """The past of a version, as it was when this unit of work read the version."""
        return self._records[version]

    async def versions(self, *, deleted: bool = False) -> list[VersionMetadata]:
        """All versions, ascending; those that were deleted only with ``deleted``."""
        condition = tables.versions.c.stage != Stage.DELETED.value
        return await self._versions(true() if deleted else condition)

    async def evidence(self, version: int) -> list[Evidence]:
        """All evidence recorded for the version, oldest first."""
        rows = await self._connection.execute(
            _EVIDENCE,
            {"tenant": self.model.tenant_id, "model": self.model.model_id, "version": version},
        )
        return [evidence_item(dict(row)) for row in rows.mappings()]

    async def archived(self) -> list[tuple[int, StageRecord]]:
        """The archived versions with their past, the one that left production last coming first.

        A version that is archived left production with the entry that archived it, and that is the
        entry since which evidence counts.
        """
        versions = tables.versions
        rows = await self._connection.execute(
            select(versions)
            .where(*self._own(versions), versions.c.stage == Stage.ARCHIVED.value)
            .order_by(versions.c.evidence_since.desc())
        )
        return [(row["version"], stage_record(dict(row))) for row in rows.mappings()]

    async def add_version(self, version: VersionMetadata) -> None:
        """Insert a version; its entry follows with :meth:`append`. Raises AlreadyExists."""
        try:
            await self._connection.execute(insert(tables.versions), version_values(version))
        except IntegrityError as error:
            raise AlreadyExists(
                f"version {version.version} of {version.model_id} is in the ledger already"
            ) from error
        self._known[version.version] = version
        self._records[version.version] = StageRecord(version.stage)

    async def add_evidence(self, item: Evidence) -> None:
        """Append the evidence to the chain of the model's evidence."""
        position = self.model.evidence_count + 1
        head = next_hash(self.model.evidence_head, item)
        await self._connection.execute(
            insert(tables.evidence),
            {**evidence_values(item), "chain_position": position, "chain_hash": head},
        )
        await self._update_model(evidence_count=position, evidence_head=head)
        self.model = replace(self.model, evidence_count=position, evidence_head=head)

    async def find_evidence(self, evidence_id: str) -> Evidence | None:
        """Evidence of the tenant by its id, of whichever model."""
        return (await self.evidence_by_id([evidence_id])).get(evidence_id)

    async def evidence_by_id(self, ids: Collection[str]) -> dict[str, Evidence]:
        """Evidence of the tenant by its ids, of whichever model; what is not there is absent."""
        if not ids:
            return {}
        rows = await self._connection.execute(
            select(tables.evidence).where(
                tables.evidence.c.tenant_id == self.model.tenant_id,
                tables.evidence.c.evidence_id.in_(sorted(ids)),
            )
        )
        return {row["evidence_id"]: evidence_item(dict(row)) for row in rows.mappings()}

    async def set_policy(self, policy: PromotionPolicy) -> None:
        fingerprint = policy.fingerprint
        await self._update_model(policy=policy.document(), policy_fingerprint=fingerprint)
        self.model = replace(self.model, policy=policy, policy_fingerprint=fingerprint)

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
                detail={
                    **(detail or {}),
                    **seal(self.model.evidence_count, self.model.evidence_head),
                },
                previous_hash=self.model.head_hash,
                hash="",
            )
        )
        await self._connection.execute(insert(tables.entries), entry_values(entry))
        await self._apply(moves, entry)
        await self._close(entry)
        self._entry = entry
        return entry

    async def store_response(
        self, operation_id: str, request: str, answer: Mapping[str, Any]
    ) -> None:
        """Keep what this operation is answered, for its repetitions."""
        await idempotency_keys.keep_answer(
            self._connection,
            self.model.tenant_id,
            self.model.model_id,
            operation_id,
            request,
            answer,
            self._clock(),
        )

    async def enqueue_sync(self) -> Change:
        """The change, with a row in the outbox: MLflow has to follow."""
        assert self._entry is not None, "a change has an entry"
        token = str(uuid.uuid4())
        await outbox.add(self._connection, token, self._entry, self._moves, self._clock())
        made = {move.version for move in self._moves if move.source is None}
        return Change(
            token=token,
            before=self._opened_at,
            after=self.model,
            moves=tuple(self._moves),
            made={number: self._known[number] for number in made},
        )

    async def metadata(self) -> ModelMetadata:
        """The model as readers will see it once the transaction ends. Raises ModelNotFound when
        all its versions were deleted."""
        if self.model.current_version is None:
            raise ModelNotFound(self.model.model_id)
        current = await self._row(self.model.current_version)
        numbers = await self._connection.scalars(
            _NUMBERS, {"tenant": self.model.tenant_id, "model": self.model.model_id}
        )
        return model_metadata(self.model, current, tuple(numbers))

    def _production_after(self, moves: tuple[StageMove, ...]) -> int | None:
        production = self.model.production_version
        for move in moves:
            if move.source is Stage.PRODUCTION and move.version == production:
                production = None
        for move in moves:
            if move.target is Stage.PRODUCTION:
                production = move.version
        return production

    async def _apply(self, moves: tuple[StageMove, ...], entry: LedgerEntry) -> None:
        if not moves:
            return
        # Out of production before into it: the database refuses a second production version.
        ordered = sorted(moves, key=lambda move: move.target is Stage.PRODUCTION)
        await apply_moves(self._connection, entry, ordered)
        for move in ordered:
            known = self._known.get(move.version)
            if known is not None:
                self._known[move.version] = replace(known, stage=move.target, updated_at=entry.at)
                self._records[move.version] = self._records[move.version].after(
                    move, moves, entry.sequence
                )
        self._moves += moves

    async def _close(self, entry: LedgerEntry) -> None:
        current = await self._current(entry.production)
        values: dict[str, Any] = {
            "epoch": entry.sequence,
            "head_hash": entry.hash,
            "production_version": entry.production,
            "current_version": current.version if current else None,
            "stage": current.stage.value if current else None,
            "framework": current.framework if current else None,
            "updated_at": entry.at,
        }
        await self._update_model(**values)
        self.model = replace(self.model, **values)

    async def _current(self, production: int | None) -> VersionMetadata | None:
        """The production version, else the newest in staging, else the newest."""
        if production is not None:
            return await self._row(production)
        versions = tables.versions
        for condition in (
            versions.c.stage == Stage.STAGING.value,
            versions.c.stage != Stage.DELETED.value,
        ):
            newest = select(func.max(versions.c.version)).where(*self._own(versions), condition)
            newest_versions = await self._versions(versions.c.version == newest.scalar_subquery())
            if newest_versions:
                return newest_versions[0]
        return None

    async def _row(self, version: int) -> VersionMetadata:
        """A version that is in the ledger; from the database if it was not read before."""
        if version not in self._known:
            await self._versions(tables.versions.c.version == version)
        return self._known[version]

    async def _versions(self, condition: Any) -> list[VersionMetadata]:
        versions = tables.versions
        rows = await self._connection.execute(
            select(versions).where(*self._own(versions), condition).order_by(versions.c.version)
        )
        items = []
        for row in rows.mappings():
            item = version_metadata(dict(row))
            self._known[item.version] = item
            self._records[item.version] = stage_record(dict(row))
            items.append(item)
        return items

    async def _update_model(self, **values: Any) -> None:
        await self._connection.execute(
            update(tables.models).where(*self._own(tables.models)), values
        )

    def _own(self, table: Table) -> tuple[Any, Any]:
        return (
            table.c.tenant_id == self.model.tenant_id,
            table.c.model_id == self.model.model_id,
        )


def _reference(item: Evidence) -> dict[str, Any]:
    return {
        "evidence_id": item.evidence_id,
        "gate": item.gate.value,
        "verdict": item.verdict.value,
        "digest": item.digest(),
    }
