"""Anchors the head of each model's ledger outside of its database.

The database's holder can rewrite what is in it. The hashes of a model's newest entry and of its
newest evidence therefore go to the artifact store, as objects of their own that nobody may
overwrite, and that of the entry to a tag of the registered model in MLflow. No write waits for it:
heads are written a moment after their commits, several commits of one model together. A process
that ends before leaves a model that is behind, for its next change, for :meth:`Anchors.catch_up`
and for ``reconcile``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress

from ..concurrency import run_concurrently
from ..domain import artifact_paths
from ..domain.canonical_json import canonical_json
from ..domain.errors import (
    AlreadyExists,
    BackendUnavailable,
    LedgerCorrupt,
    ModelNotFound,
    RegistryError,
)
from ..domain.identifiers import ModelId, TenantId, registered_name
from ..domain.ledger_head import (
    ABANDONED,
    ABANDONED_EVIDENCE,
    AnchorStatus,
    LedgerHead,
    abandoned,
    contradiction,
)
from ..domain.models import EntryKind
from ..ledger.mappers import ModelRow
from ..mlflow_adapter import tags
from ..mlflow_adapter.records import RegisteredModelRecord
from .backends import Backends

log = logging.getLogger(__name__)

#: Commits of one model within this time are anchored by the newest of them.
DELAY_SECONDS = 1.0
#: How long a registry that closes waits for heads that are not anchored yet.
_CLOSE_SECONDS = 3.0


class Anchors:
    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._due: set[tuple[TenantId, ModelId]] = set()
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def schedule(self, tenant: TenantId, model: ModelId) -> None:
        """Anchor the model's head a moment later."""
        self._due.add((tenant, model))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_due())

    async def close(self) -> None:
        """Anchor what is due, for a few seconds at most; what is left then is behind."""
        self._closing.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_CLOSE_SECONDS)
            self._task.cancel()

    async def catch_up(self, tenant: TenantId | None = None, limit: int = 1000) -> int:
        """Anchor the heads of models that are behind, at most ``limit``; how many were anchored.

        Raises :class:`BackendUnavailable`.
        """
        anchored = 0
        for key in await self._backends.ledger.anchored_heads.behind(tenant, limit):
            anchored += await self.write(*key)
        return anchored

    async def write(self, tenant: TenantId, model: ModelId) -> bool:
        """Anchor the model's head; whether it was anchored. A ledger that contradicts MLflow's tag
        anchors nothing: it would hide that it was cut. Raises :class:`BackendUnavailable`."""
        row, record = await self._both(tenant, model)
        if row is None or row.epoch == 0:
            return False
        try:
            await self.check(tenant, model, row, record)
        except LedgerCorrupt as error:
            log.error("model %s/%s is not anchored: %s", tenant, model, error)
            return False
        head = LedgerHead(row.epoch, row.head_hash)
        writes = [self._store(tenant, model, head, artifact_paths.anchors(tenant, model))]
        if row.evidence_count:
            evidence = LedgerHead(row.evidence_count, row.evidence_head)
            folder = artifact_paths.evidence_anchors(tenant, model)
            writes.append(self._store(tenant, model, evidence, folder))
        if record is not None and record.tags.get(tags.LEDGER_HEAD) != str(head):
            writes.append(self._tag(tenant, model, head))
        await run_concurrently(*writes)
        await self._backends.ledger.anchored_heads.record(
            tenant, model, row.epoch, row.evidence_count
        )
        return True

    async def check(
        self,
        tenant: TenantId,
        model: ModelId,
        row: ModelRow | None,
        record: RegisteredModelRecord | None,
    ) -> None:
        """Raise :class:`LedgerTruncated` or :class:`LedgerForked` if MLflow's tag names an entry
        that the ledger does not have. Costs nothing where they agree."""
        head = _tagged(record)
        if head is not None and not _agree(row, head):
            # The row may have been read before an entry that was anchored since.
            await self.check_heads(tenant, model, [head])

    async def require_current(self, tenant: TenantId, model: ModelId) -> None:
        """:meth:`check` with what MLflow and the ledger have now, and with the newest head in the
        artifact store, if that answers. For the moment before MLflow is changed to show the ledger
        as it is, alias included."""
        row, record = await self._both(tenant, model)
        await self.check(tenant, model, row, record)
        with suppress(BackendUnavailable):
            newest = max(await self._stored(tenant, model), default=None)
            if newest is not None and not _agree(row, newest):
                await self.check_heads(tenant, model, [newest])

    async def lost_heads(
        self,
        tenant: TenantId,
        model: ModelId,
        row: ModelRow | None,
        record: RegisteredModelRecord | None,
    ) -> list[LedgerHead]:
        """The anchored heads that the ledger does not have and that were not given up, oldest
        first. The artifact store is asked where MLflow and the ledger differ."""
        head = _tagged(record)
        if record is not None and (head is None or _agree(row, head)):
            production = row.production_version if row else None
            if record.aliases.get(tags.PRODUCTION_ALIAS) == production:
                return []
        return await self.lost(tenant, model, await self.heads(tenant, model))

    async def check_heads(
        self, tenant: TenantId, model: ModelId, heads: Collection[LedgerHead]
    ) -> None:
        """Raise for the newest of ``heads`` that is neither in the ledger nor was given up."""
        lost = await self.lost(tenant, model, heads)
        if lost:
            row = await self._backends.ledger.read.row(tenant, model)
            raise contradiction(model, row.epoch if row else 0, lost[-1])

    async def lost(
        self, tenant: TenantId, model: ModelId, heads: Collection[LedgerHead]
    ) -> list[LedgerHead]:
        """Those of ``heads`` that are neither in the ledger nor were given up, oldest first."""
        read = self._backends.ledger.read
        hashes = await read.entry_hashes(tenant, model, {head.epoch for head in heads})
        lost = {head for head in heads if hashes.get(head.epoch) != head.hash}
        if lost:
            lost -= await self._given_up(tenant, model, ABANDONED)
        return sorted(lost)

    async def lost_evidence(self, tenant: TenantId, model: ModelId) -> list[LedgerHead]:
        """The anchored heads of the chain over the model's evidence that it does not have and that
        were not given up, oldest first."""
        heads = await self.evidence_heads(tenant, model)
        hashes = await self._backends.ledger.read.evidence_hashes(
            tenant, model, {head.epoch for head in heads}
        )
        lost = {head for head in heads if hashes.get(head.epoch) != head.hash}
        if lost:
            lost -= await self._given_up(tenant, model, ABANDONED_EVIDENCE)
        return sorted(lost)

    async def evidence_heads(self, tenant: TenantId, model: ModelId) -> set[LedgerHead]:
        """Every head of the chain over the model's evidence that the artifact store has; none while
        it does not answer."""
        with suppress(BackendUnavailable):
            return await self._in_folder(artifact_paths.evidence_anchors(tenant, model))
        return set()

    async def heads(self, tenant: TenantId, model: ModelId) -> list[LedgerHead]:
        """Every head of the model that the artifact store or MLflow has, oldest first. Raises
        :class:`BackendUnavailable` if neither answers."""
        heads, unavailable = await self._read_heads(tenant, model)
        if len(unavailable) > 1:
            raise unavailable[0]
        return sorted(heads)

    async def status(self, tenant: TenantId, model: ModelId) -> AnchorStatus:
        """How far the model's ledger is anchored. Raises :class:`ModelNotFound`."""
        read = self._backends.ledger.read
        heads, unavailable = await self._read_heads(tenant, model)
        row = await read.row(tenant, model)
        if row is None:
            raise ModelNotFound(model)
        hashes = await read.entry_hashes(tenant, model, {head.epoch for head in heads})
        anchored = [head.epoch for head in heads if hashes.get(head.epoch) == head.hash]
        names = tuple(error.backend for error in unavailable)
        return AnchorStatus(row.epoch, max(anchored, default=0), names)

    async def _read_heads(
        self, tenant: TenantId, model: ModelId
    ) -> tuple[set[LedgerHead], list[BackendUnavailable]]:
        """The heads that the stores have, and the errors of those that do not answer."""

        async def tagged() -> set[LedgerHead]:
            name = registered_name(tenant, model)
            head = _tagged(await self._backends.tracking.registered_model(name))
            return set() if head is None else {head}

        heads: set[LedgerHead] = set()
        unavailable = []
        outcomes = await asyncio.gather(
            self._stored(tenant, model), tagged(), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BackendUnavailable):
                unavailable.append(outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                heads |= outcome
        return heads, unavailable

    async def _write_due(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(DELAY_SECONDS):
                await self._closing.wait()
        while self._due:
            tenant, model = self._due.pop()
            try:
                await self.write(tenant, model)
            except RegistryError as error:
                log.warning("the head of %s/%s will be anchored later: %s", tenant, model, error)

    async def _both(
        self, tenant: TenantId, model: ModelId
    ) -> tuple[ModelRow | None, RegisteredModelRecord | None]:
        # MLflow first: what it shows was committed before, so the row that is read after it has it.
        name = registered_name(tenant, model)
        record = await self._backends.tracking.registered_model(name)
        return await self._backends.ledger.read.row(tenant, model), record

    async def _stored(self, tenant: TenantId, model: ModelId) -> set[LedgerHead]:
        return await self._in_folder(artifact_paths.anchors(tenant, model))

    async def _given_up(self, tenant: TenantId, model: ModelId, key: str) -> set[LedgerHead]:
        details = await self._backends.ledger.read.details(tenant, model, EntryKind.LEDGER_RESTORED)
        return abandoned(details, key)

    async def _in_folder(self, folder: str) -> set[LedgerHead]:
        files = await self._backends.artifacts.files(folder)
        heads = (LedgerHead.of_file(file.path.rpartition("/")[2]) for file in files)
        return {head for head in heads if head is not None}

    async def _store(self, tenant: TenantId, model: ModelId, head: LedgerHead, folder: str) -> None:
        content = {
            "tenant_id": tenant,
            "model_id": model,
            "epoch": head.epoch,
            "hash": head.hash,
            "registry_id": (await self._backends.ledger.identity.load()).registry_id,
        }
        with suppress(AlreadyExists):
            await self._backends.artifacts.put_once(
                f"{folder}/{head.file_name}", canonical_json(content)
            )

    async def _tag(self, tenant: TenantId, model: ModelId, head: LedgerHead) -> None:
        # Its registered model was deleted in MLflow: reconcile reports that.
        with suppress(ModelNotFound):
            await self._backends.tracking.set_registered_model_tags(
                registered_name(tenant, model), {tags.LEDGER_HEAD: str(head)}
            )


def _tagged(record: RegisteredModelRecord | None) -> LedgerHead | None:
    return None if record is None else LedgerHead.parse(record.tags.get(tags.LEDGER_HEAD))


def _agree(row: ModelRow | None, head: LedgerHead) -> bool:
    """Whether a ledger with this row may have anchored the head; of older entries the chain shows
    it."""
    if row is None:
        return False
    return head.epoch < row.epoch or (head.epoch, head.hash) == (row.epoch, row.head_hash)
