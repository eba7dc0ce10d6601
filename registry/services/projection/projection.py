"""Makes MLflow show what the ledger says: alias and tags, idempotent and repeatable.

Each change leaves an outbox row in its own transaction, which is removed once MLflow shows the
change: a row that is still there marks an unfinished change. A writer that was overtaken sees a
newer epoch when it is done, and writes the newer state to MLflow instead of its own.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...concurrency import run_concurrently
from ...domain import artifact_paths
from ...domain.errors import BackendUnavailable, NotFound
from ...domain.identifiers import ModelId, TenantId, registered_name
from ...domain.models import VersionMetadata
from ...domain.stages import Stage
from ...ledger.mappers import Change, PromotionState
from ...mlflow_adapter import tags
from ...mlflow_adapter.records import ModelVersionRecord
from ..anchors import Anchors
from ..backends import Backends
from .identity import mismatch
from .plan import ProjectionPlan, mirror_all, mirror_change

log = logging.getLogger(__name__)

#: At most so many versions are read one by one; more come from one search.
_ONE_BY_ONE = 8
#: So long a record that was read before a change says which version MLflow has after it. Reading a
#: large bundle takes longer, and meanwhile the version may be created anew in MLflow.
_RECENT_SECONDS = 2.0


@dataclass(frozen=True)
class VersionRecords:
    """MLflow's records of some versions by number, the ledger's metadata of the same versions, and
    when the records were read (monotonic seconds). A version that MLflow does not have is not among
    them. What the ledger says of a version's origin never changes."""

    by_number: Mapping[int, ModelVersionRecord]
    versions: Mapping[int, VersionMetadata]
    read_at: float

    @classmethod
    def of(
        cls,
        versions: Mapping[int, VersionMetadata],
        records: Iterable[ModelVersionRecord | None],
        read_at: float,
    ) -> VersionRecords:
        """The records that MLflow has of ``versions``, not read before ``read_at``."""
        return cls({item.version: item for item in records if item}, versions, read_at)

    @property
    def is_recent(self) -> bool:
        """Whether the records need not be read again."""
        return time.monotonic() - self.read_at < _RECENT_SECONDS


#: For a change of which no record was read before.
_UNREAD = VersionRecords({}, {}, -math.inf)


class Projection:
    def __init__(self, stores: Backends, anchors: Anchors) -> None:
        self._stores = stores
        self._anchors = anchors
        self._following: set[asyncio.Task[None]] = set()

    async def apply_change(
        self,
        tenant: TenantId,
        model: ModelId,
        change: Change,
        records: VersionRecords | None = None,
    ) -> None:
        """Write a committed change to MLflow, completely even if the caller is cancelled: a request
        that was sent cannot be called back, and its sender has to read the state it arrived on.
        ``records`` that were read just before need not be read again."""
        task = asyncio.create_task(self._follow(tenant, model, change, records or _UNREAD))
        self._following.add(task)
        task.add_done_callback(self._ended)
        await asyncio.shield(task)

    async def close(self) -> None:
        """Wait for changes whose callers were cancelled; each takes a few calls to MLflow."""
        if self._following:
            await asyncio.wait(self._following)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._following.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("a change could not be shown in MLflow: %s", error)

    async def _follow(
        self, tenant: TenantId, model: ModelId, change: Change, records: VersionRecords
    ) -> None:
        """Write a committed change to MLflow.

        An error here is no failure of the change: its row stays in the outbox, and the next
        operation on the model or ``reconcile`` writes it. The row stays also where another writer
        has meanwhile written the change, since a request without an answer may still arrive.
        """
        try:
            await self._write(tenant, model, mirror_change(change), records)
            epoch = change.after.epoch
            if not await self._stores.ledger.projected(tenant, model, [change.token], epoch):
                await self.write_until_current(
                    tenant, model, change.versions, [change.token], since=epoch
                )
        except BackendUnavailable as error:
            log.warning("model %s: MLflow will show the change later: %s", model, error)
            await self._requeue(tenant, model, change)
        except asyncio.CancelledError:
            # The event loop ends: a request that was sent may still arrive, after a newer change.
            await self._requeue(tenant, model, change)
            raise

    async def _requeue(self, tenant: TenantId, model: ModelId, change: Change) -> None:
        with suppress(BackendUnavailable):
            await self._stores.ledger.requeue_sync(tenant, model, change.versions, change.token)

    async def prepare(self, tenant: TenantId, model: ModelId) -> None:
        """Before a change: raise BackendUnavailable while MLflow is unavailable, since clients that
        load by its alias would go on with a version that the ledger has replaced; and finish the
        changes that earlier writers left, or that arrived in MLflow after a newer one. Raises
        :class:`LedgerTruncated` where MLflow has seen a newer ledger than this one."""
        read = self._stores.ledger.read
        record, (row, notes) = await run_concurrently(
            self._stores.tracking.registered_model(registered_name(tenant, model)),
            run_concurrently(read.row(tenant, model), read.projections(tenant, model)),
        )
        await self._anchors.check(tenant, model, row, record)
        if notes:
            await self._apply_settled(tenant, model, notes)
        elif (
            row is not None
            and record is not None
            and record.aliases.get(tags.PRODUCTION_ALIAS) != row.production_version
        ):
            await self.write_until_current(tenant, model, [], [])

    async def require_anchored(self, tenant: TenantId, model: ModelId) -> None:
        """Raise :class:`LedgerTruncated` or :class:`LedgerForked` where the ledger is older than
        what was anchored of it."""
        await self._anchors.require_current(tenant, model)

    async def prepare_promotion(self, state: PromotionState) -> ModelVersionRecord | None:
        """:meth:`prepare`, and MLflow's record of the version in production, which shows as well
        whether the alias points to it. That it points nowhere, only the registered model shows."""
        tenant, model = TenantId(state.model.tenant_id), ModelId(state.model.model_id)
        if state.production is None:
            await self.prepare(tenant, model)
            return None
        production = await self._stores.tracking.model_version(
            registered_name(tenant, model), state.production.version
        )
        if state.pending:
            notes = await self._stores.ledger.read.projections(tenant, model)
            await self._apply_settled(tenant, model, notes)
        elif production is None or tags.PRODUCTION_ALIAS not in production.aliases:
            await self.write_until_current(tenant, model, [], [])
        return production

    async def try_apply_pending(self, tenant: TenantId, model: ModelId) -> None:
        """:meth:`prepare` for a call that is answered from the ledger, whatever MLflow does."""
        try:
            await self.prepare(tenant, model)
        except BackendUnavailable as error:
            log.warning("model %s: MLflow will follow later: %s", model, error)

    async def apply_pending(self, tenant: TenantId, model: ModelId) -> list[int]:
        """Finish the changes that are left in the outbox; the versions of those that MLflow may
        not have shown."""
        notes = await self._stores.ledger.read.projections(tenant, model)
        if not notes:
            return []
        tokens = [note["token"] for note in notes]
        await self.write_until_current(tenant, model, _versions(notes), tokens)
        return _versions(note for note in notes if not _is_watched(note))

    async def _apply_settled(
        self, tenant: TenantId, model: ModelId, notes: Sequence[Mapping[str, Any]]
    ) -> None:
        """Write what is left in the outbox. A change whose writer got no answer from MLflow stays
        there until its request can no longer arrive: the sweeper looks again then."""
        now = self._stores.ledger.clock()
        watched = [note for note in notes if note["settles_at"] and note["settles_at"] > now]
        tokens = [note["token"] for note in notes if note not in watched]
        await self.write_until_current(tenant, model, _versions(notes), tokens)
        for note in watched:
            if not _is_watched(note):
                key = (tenant, model, note["token"])
                await self._stores.ledger.postpone_outbox([key], note["settles_at"])

    async def write_until_current(
        self,
        tenant: TenantId,
        model: ModelId,
        versions: Iterable[int],
        tokens: Sequence[str],
        *,
        since: int | None = None,
    ) -> None:
        """Write alias and tags from the ledger until it does not change meanwhile, then remove the
        rows ``tokens`` from the outbox. With ``since``, also what was moved after that epoch.

        Raises :class:`LedgerTruncated` or :class:`LedgerForked`, before anything is written, where
        the ledger is older than what was anchored of it: its alias would go back in time."""
        read = self._stores.ledger.read
        numbers = set(versions)
        await self._anchors.require_current(tenant, model)
        while True:
            row = await read.row(tenant, model)
            assert row is not None, "models are never removed from the ledger"
            if since is not None:
                for entry in await read.entries(tenant, model, after=since):
                    numbers.update(move.version for move in entry.moves)
            metadata = await read.versions_by_number(tenant, model, numbers)
            await self._write(tenant, model, mirror_all(row, metadata), _UNREAD)
            if await self._stores.ledger.projected(tenant, model, tokens, row.epoch):
                return
            since = row.epoch

    async def _write(
        self,
        tenant: TenantId,
        model: ModelId,
        mirroring: ProjectionPlan,
        records: VersionRecords,
    ) -> None:
        tracking = self._stores.tracking
        name = registered_name(tenant, model)
        own = await self._own(tenant, model, mirroring.versions, records)
        writes = [
            _unless_lost(tracking.set_version_tags(name, version, version_tags))
            for version, version_tags in sorted(mirroring.version_tags.items())
            if version in own
        ]
        if mirroring.alias:
            production = mirroring.production if mirroring.production in own else None
            writes.append(self._point_alias(name, production))
        if mirroring.model_tags:
            writes.append(
                _unless_lost(tracking.set_registered_model_tags(name, mirroring.model_tags))
            )
        await _all_of(writes)
        # Not at once with the alias: MLflow leaves it dangling if the two meet.
        for version in own.intersection(mirroring.deleted):
            await tracking.delete_version(name, version)
        for version in mirroring.deleted:
            folder = artifact_paths.bundle(tenant, model, version)
            await self._stores.artifacts.delete_folder(folder)

    async def _own(
        self,
        tenant: TenantId,
        model: ModelId,
        numbers: Collection[int],
        read_before: VersionRecords,
    ) -> set[int]:
        """Those of ``numbers`` that MLflow has as the versions that the ledger has. The others are
        shown nowhere: after its registered model was made again, a number of MLflow's belongs to
        other files."""
        name = registered_name(tenant, model)
        records, versions = dict(read_before.by_number), dict(read_before.versions)
        if not read_before.is_recent:
            records = {}
        unread = set(numbers) - (set(records) & set(versions))
        if unread:
            metadata, fresh = await run_concurrently(
                self._stores.ledger.read.versions_by_number(tenant, model, unread),
                self._records(name, unread),
            )
            records |= fresh
            versions |= {item.version: item for item in metadata}
        own = set()
        for number in sorted(set(numbers) & set(versions)):
            version, record = versions[number], records.get(number)
            problem = (
                "MLflow does not have it"
                if record is None
                else mismatch(version, record, self._stores.artifacts)
            )
            if problem is None:
                own.add(number)
            elif version.stage is not Stage.DELETED:
                log.warning("%s/%s cannot be shown in MLflow: %s", name, number, problem)
        return own

    async def _records(self, name: str, numbers: Collection[int]) -> dict[int, ModelVersionRecord]:
        """MLflow's records of these versions; without those that it does not have."""
        tracking = self._stores.tracking
        if len(numbers) > _ONE_BY_ONE:
            return {item.version: item for item in await tracking.model_versions(name)}
        records = await run_concurrently(
            *(tracking.model_version(name, number) for number in sorted(numbers))
        )
        return {record.version: record for record in records if record is not None}

    async def _point_alias(self, name: str, production: int | None) -> bool:
        tracking = self._stores.tracking
        if production is None or not await _unless_lost(
            tracking.set_alias(name, tags.PRODUCTION_ALIAS, production)
        ):
            await tracking.delete_alias(name, tags.PRODUCTION_ALIAS)
        return True


def _versions(notes: Iterable[Mapping[str, Any]]) -> list[int]:
    """The versions that rows of the outbox are about."""
    return sorted({version for note in notes for version in note["versions"]})


def _is_watched(note: Mapping[str, Any]) -> bool:
    """Whether the change of an outbox row was shown after its writer gave up, and the row only
    waits for the time when no request of the writer can arrive any more."""
    return note["settles_at"] is not None and note["next_attempt_at"] == note["settles_at"]


async def _all_of(writes: Iterable[Awaitable[bool]]) -> None:
    """Await all at once. Raises the first error once all have ended: none is still on its way."""
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def _unless_lost(write: Awaitable[None]) -> bool:
    """Await ``write``; whether it succeeded. What was deleted in MLflow cannot be written, and must
    not keep the rest from being written; ``reconcile`` reports it as damage."""
    try:
        await write
    except NotFound as error:
        log.warning("MLflow cannot show it: %s", error)
        return False
    return True
