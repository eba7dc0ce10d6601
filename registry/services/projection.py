"""Makes MLflow show what the ledger says: alias and tags, idempotent and repeatable.

Each change leaves a note in its own transaction, and the note goes once MLflow shows the change;
so whoever finds a note knows that somebody did not finish. A writer that was overtaken sees a
newer epoch when it is done and shows the newer state instead of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterable
from contextlib import suppress

from ..ledger.rows import ModelRow
from ..rules.errors import BackendUnavailable, NotFound
from ..rules.metadata import ModelMetadata, VersionMetadata
from ..rules.stages import Stage
from ..rules.tenancy import ModelId, TenantId, registered_name
from ..tracking import tags
from .stores import Stores

log = logging.getLogger(__name__)


class Projection:
    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def follow(
        self, tenant: TenantId, model: ModelId, versions: Iterable[int], token: str
    ) -> None:
        """Show the state of ``versions`` after a committed change whose note is ``token``.

        The change is committed, so trouble here is no failure of it: the note stays, and the next
        operation on the model or ``reconcile`` shows it. It stays also where somebody else has
        meanwhile shown the change: what was sent from here and not answered may still arrive.
        """
        numbers = list(versions)
        try:
            await self.show(tenant, model, numbers, [token])
        except BackendUnavailable as error:
            log.warning("model %s: MLflow will follow later: %s", model, error)
            with suppress(BackendUnavailable):
                await self._stores.ledger.remind(tenant, model, numbers, token)

    async def catch_up(self, tenant: TenantId, model: ModelId) -> None:
        """:meth:`repair` for a call that is answered from the ledger, whatever MLflow does."""
        try:
            await self.repair(tenant, model)
        except BackendUnavailable as error:
            log.warning("model %s: MLflow will follow later: %s", model, error)

    async def repair(self, tenant: TenantId, model: ModelId) -> list[int]:
        """Finish what others left: the versions whose change MLflow may not have shown."""
        notes = await self._stores.ledger.read.projections(tenant, model)
        if not notes:
            return []
        versions = sorted({version for note in notes for version in note["versions"]})
        await self.show(tenant, model, versions, [note["token"] for note in notes])
        return versions

    async def show(
        self, tenant: TenantId, model: ModelId, versions: Iterable[int], tokens: list[str]
    ) -> None:
        """Write alias and tags from the ledger until it stands still, then remove the notes."""
        wanted = set(versions)
        row = await self._row(tenant, model)
        while True:
            await self._write(tenant, model, row, wanted)
            now = await self._row(tenant, model)
            if now.epoch == row.epoch:
                break
            for entry in await self._stores.ledger.read.entries(tenant, model, after=row.epoch):
                wanted.update(move.version for move in entry.moves)
            row = now
        await self._stores.ledger.projected(tenant, model, tokens)

    async def _row(self, tenant: TenantId, model: ModelId) -> ModelRow:
        row = await self._stores.ledger.read.row(tenant, model)
        assert row is not None, "models are never removed from the ledger"
        return row

    async def _write(
        self, tenant: TenantId, model: ModelId, row: ModelRow, versions: set[int]
    ) -> None:
        tracking = self._stores.tracking
        name = registered_name(tenant, model)
        stages = await self._stages(tenant, model, versions)
        production = row.production_version
        if production is None or not await _unless_lost(
            tracking.set_alias(name, tags.PRODUCTION_ALIAS, production)
        ):
            await tracking.delete_alias(name, tags.PRODUCTION_ALIAS)
        for version, found in sorted(stages.items()):
            if found.stage is Stage.DELETED:
                await tracking.delete_version(name, version)
            else:
                await _unless_lost(tracking.set_version_tags(name, version, version_tags(found)))
        current = await self._stores.ledger.read.model(tenant, model)
        if current is not None:
            await _unless_lost(tracking.set_registered_model_tags(name, model_tags(current)))

    async def _stages(
        self, tenant: TenantId, model: ModelId, versions: set[int]
    ) -> dict[int, VersionMetadata]:
        found = await self._stores.ledger.read.versions_by_number(tenant, model, versions)
        return {item.version: item for item in found}


async def _unless_lost(write: Awaitable[None]) -> bool:
    """Do ``write``, and tell whether it could be done. What somebody deleted in MLflow cannot be
    shown there, and must not keep the rest from being shown; ``reconcile`` tells it as damage."""
    try:
        await write
    except NotFound as error:
        log.warning("MLflow cannot show it: %s", error)
        return False
    return True


def model_tags(model: ModelMetadata) -> dict[str, str]:
    """The tags of a registered model in MLflow that mirror the ledger."""
    return {tags.MODEL_STAGE: model.stage.value, tags.FRAMEWORK: model.framework}


def version_tags(version: VersionMetadata) -> dict[str, str]:
    """The tags of a version in MLflow that mirror the ledger."""
    return {
        tags.STAGE: version.stage.value,
        tags.BUNDLE_DIGEST: version.bundle_digest,
        tags.FRAMEWORK: version.framework,
    }
