"""The ledger as the services use it: units of work to write in, and indexed reads."""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ..attestation.hash_chain import GENESIS
from ..domain.errors import BackendUnavailable, ModelNotFound
from ..domain.identifiers import ModelId, TenantId
from ..domain.models import OutboxStatus
from ..domain.promotion_policy import PromotionPolicy
from . import idempotency_keys, migrate, outbox, tables
from .anchored_heads import AnchoredHeads
from .api_keys import ApiKeys
from .clock import LedgerClock, utc_now
from .engine import maintenance_engine, open_engine, reading, single, writing
from .identity import IdentityRecord
from .mappers import ModelRow, Operation, model_row
from .queries import LedgerReader
from .retention import Retention
from .timeouts import MAINTENANCE, ORDINARY, Limits
from .tree.merkle_tree import MerkleTree
from .unit_of_work import ModelUnitOfWork
from .upsert import insert_into


@cache
def _model_query(*, write: bool, is_postgresql: bool) -> Select[Any]:
    """A model's row, with the time of a database in service; to ``write``, with its lock there, and
    with the ledger's oldest writer. Made once: putting a statement together takes longer than the
    database takes to answer it."""
    models = tables.models
    query = select(models).where(
        models.c.tenant_id == bindparam("tenant"), models.c.model_id == bindparam("model")
    )
    if write and is_postgresql:
        query = query.with_for_update()
    more: list[Any] = []
    if is_postgresql:
        # Around the query that locks: the time is that after the lock was waited for.
        more.append(func.clock_timestamp().label("server_time"))
    if write:
        oldest = select(tables.compatibility.c.oldest_writer).scalar_subquery()
        more.append(oldest.label("oldest_writer"))
    return select(query.subquery(), *more) if more else query


class Ledger:
    """The only way to the ledger's tables. Every method takes the tenant first."""

    def __init__(self, engine: AsyncEngine, clock: Callable[[], datetime] = utc_now) -> None:
        """``clock`` is the clock of this process; what it is worth: :mod:`.clock`."""
        self._engine = engine
        self._patient = maintenance_engine(engine) or engine
        self._time = LedgerClock(clock)
        self.read = LedgerReader(engine, self._patient)
        self.tree = MerkleTree(self._patient)
        self.identity = IdentityRecord(engine)
        self.api_keys = ApiKeys(self._patient, self.clock)
        self.anchored_heads = AnchoredHeads(engine, self._time)
        self.retention = Retention(self._patient, self._time)
        #: Called with the model of each transaction that has recorded an entry or evidence.
        self.after_commit: Callable[[TenantId, ModelId], None] = lambda _tenant, _model: None

    def clock(self) -> datetime:
        """The ledger's time now."""
        return self._time.now()

    @classmethod
    async def open(cls, url: str, clock: Callable[[], datetime] = utc_now) -> Ledger:
        """The ledger at ``url``. An embedded one is created and migrated; one in service must
        have been migrated by ``model-lifecycle db upgrade``, or InvalidInput says so."""
        engine = open_engine(url)
        try:
            await migrate.prepare(engine)
        except BaseException:
            await engine.dispose()
            raise
        ledger = cls(engine, clock)
        await ledger.ping()
        return ledger

    async def close(self) -> None:
        await self._engine.dispose()
        if self._patient is not self._engine:
            await self._patient.dispose()

    async def ping(self) -> None:
        """Return if the database answers. Raises :class:`BackendUnavailable`."""
        async with reading(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                now = await connection.execute(select(func.clock_timestamp()))
                self._time.observe(now.scalar_one())
            else:
                await connection.scalar(select(1))

    def clock_warning(self) -> str | None:
        """A warning about this process's clock; None if it agrees with the ledger's."""
        return self._time.read().warning()

    @asynccontextmanager
    async def begin(self, tenant: TenantId, model: ModelId) -> AsyncIterator[ModelUnitOfWork]:
        """The model's work, its row locked until the end of the block, where all commits or,
        on an error, nothing. Raises :class:`ModelNotFound`; BackendUnavailable, and then nothing
        is known to have been committed."""
        async with self._written(tenant, model) as work:
            yield work

    @asynccontextmanager
    async def snapshot(
        self, tenant: TenantId, model: ModelId, *, limits: Limits = ORDINARY
    ) -> AsyncIterator[ModelUnitOfWork]:
        """The model's work for reading: one consistent state, nothing locked, nothing kept.

        ``limits`` of MAINTENANCE are for work that takes longer than a request may. Raises
        :class:`ModelNotFound`.
        """
        engine = self._patient if limits is MAINTENANCE else self._engine
        async with reading(engine) as connection:
            if connection.dialect.name == "postgresql":
                await connection.execution_options(isolation_level="REPEATABLE READ")
            row = await self._row(connection, tenant, model)
            if row is None:
                raise ModelNotFound(model)
            yield ModelUnitOfWork(connection, row, self._time)

    @asynccontextmanager
    async def begin_new(
        self, tenant: TenantId, model: ModelId, *, description: str, model_type: str, actor: str
    ) -> AsyncIterator[ModelUnitOfWork]:
        """Like :meth:`begin`, but a new model is made; two that make it at once share it."""
        async with self._written(
            tenant,
            model,
            lambda connection: self._make_model(
                connection, tenant, model, description, model_type, actor
            ),
        ) as work:
            yield work

    async def begin_operation(
        self,
        tenant: TenantId,
        model: ModelId,
        operation_id: str,
        request: str,
        plan: Mapping[str, Any],
    ) -> Operation:
        """Reserve an operation whose work begins outside of the ledger, or find it again.

        Raises :class:`OperationConflict` if the id belongs to another request.
        """
        async with writing(self._engine, f"operation {operation_id!r}") as connection:
            return await idempotency_keys.begin(
                connection, tenant, model, operation_id, request, plan, self.clock()
            )

    async def add_to_plan(
        self, tenant: TenantId, operation_id: str, addition: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Record what a begun operation has made outside of the ledger; the first attempt at it
        decides, and the answer is what that recorded."""
        async with writing(self._engine) as connection:
            return await idempotency_keys.add_to_plan(connection, tenant, operation_id, addition)

    async def abandon_operation(self, tenant: TenantId, operation_id: str) -> None:
        """Forget an operation that failed before it had any effect."""
        async with writing(self._engine) as connection:
            await idempotency_keys.abandon(connection, tenant, operation_id)

    async def requeue_sync(
        self, tenant: TenantId, model: ModelId, versions: Iterable[int], token: str
    ) -> None:
        """Make the outbox row of a change pending again: MLflow may not show it."""
        async with writing(self._engine) as connection:
            await outbox.requeue(connection, tenant, model, versions, token, self.clock())

    async def projected(
        self, tenant: TenantId, model: ModelId, tokens: Sequence[str], epoch: int
    ) -> bool:
        """Finish outbox rows whose changes MLflow now shows, as the model was at ``epoch``. False,
        and no row finished, if it has changed since: MLflow may show less than the ledger has."""
        if tokens:
            async with single(self._engine) as connection:
                if await outbox.finish(connection, tenant, model, tokens, epoch, self.clock()):
                    return True
        # None was pending: another writer has written the change as well, or the model has changed.
        row = await self.read.row(tenant, model)
        return row is not None and row.epoch == epoch

    async def outbox_status(self) -> OutboxStatus:
        """How many changes MLflow may not show yet, and how old the oldest is."""
        async with reading(self._engine) as connection:
            pending, oldest = await outbox.status(connection)
        age = 0.0 if oldest is None else (self.clock() - oldest).total_seconds()
        return OutboxStatus(pending, max(age, 0.0))

    async def claim_outbox(self, limit: int) -> list[outbox.OutboxRow]:
        """Claim rows for a sweep. Where none is due, nothing is locked."""
        now = self.clock()
        async with reading(self._engine) as connection:
            if not await outbox.is_due(connection, now):
                return []
        async with writing(self._engine, "the outbox") as connection:
            return await outbox.claim(connection, now, limit)

    async def postpone_outbox(
        self, keys: Collection[tuple[str, str, str]], until: datetime
    ) -> None:
        """Leave the pending rows with these keys (tenant, model, token) to a sweep after
        ``until``."""
        async with writing(self._engine, "the outbox") as connection:
            await outbox.postpone(connection, keys, until)

    @asynccontextmanager
    async def _written(
        self,
        tenant: TenantId,
        model: ModelId,
        make: Callable[[AsyncConnection], Awaitable[None]] | None = None,
    ) -> AsyncIterator[ModelUnitOfWork]:
        """One transaction on a model, which ``make`` makes if it is not there; a COMMIT whose
        answer was lost is looked up."""
        work = None
        written = judged = False
        try:
            async with writing(self._engine, f"model {model!r}") as connection:
                if make is not None:
                    await make(connection)
                row = await self._row(connection, tenant, model, lock=True)
                if row is None:
                    raise ModelNotFound(model)
                work = ModelUnitOfWork(connection, row, self._time)
                yield work
                written = work.model.epoch > row.epoch
                judged = work.model.evidence_count > row.evidence_count
        except BackendUnavailable:
            if work is None or not written or not await self._committed(work.model):
                raise
        if written or judged:
            self.after_commit(tenant, model)

    async def _committed(self, model: ModelRow) -> bool:
        """Whether a transaction whose end was not heard of has left its entry.

        The answer to a COMMIT may be lost after the commit. That transaction held the model's row,
        so the next holder of its lock sees how it ended.
        """
        entries = tables.entries
        try:
            async with writing(self._engine) as connection:
                await self._row(
                    connection, TenantId(model.tenant_id), ModelId(model.model_id), lock=True
                )
                head_hash = await connection.scalar(
                    select(entries.c.hash).where(
                        entries.c.tenant_id == model.tenant_id,
                        entries.c.model_id == model.model_id,
                        entries.c.sequence == model.epoch,
                    )
                )
        except BackendUnavailable:
            return False
        return bool(head_hash == model.head_hash)

    async def _row(
        self,
        connection: AsyncConnection,
        tenant: TenantId,
        model: ModelId,
        *,
        lock: bool = False,
    ) -> ModelRow | None:
        is_postgresql = connection.dialect.name == "postgresql"
        query = _model_query(write=lock, is_postgresql=is_postgresql)
        rows = await connection.execute(query, {"tenant": tenant, "model": model})
        row = rows.mappings().first()
        if row is None:
            return None
        if "server_time" in row:
            self._time.observe(row["server_time"])
        if lock:
            # The ledger may have been upgraded while this process ran.
            migrate.check_writer(row["oldest_writer"])
        return model_row(dict(row))

    async def _make_model(
        self,
        connection: AsyncConnection,
        tenant: TenantId,
        model: ModelId,
        description: str,
        model_type: str,
        actor: str,
    ) -> None:
        now = self.clock()
        policy = PromotionPolicy()
        await connection.execute(
            insert_into(connection, tables.models)
            .values(
                tenant_id=tenant,
                model_id=model,
                description=description,
                model_type=model_type,
                policy=policy.document(),
                policy_fingerprint=policy.fingerprint,
                epoch=0,
                head_hash=GENESIS,
                created_at=now,
                created_by=actor,
                updated_at=now,
            )
            .on_conflict_do_nothing()
        )
