"""Deletes versions that were never in production. The ledger keeps the record of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ..domain import artifact_paths
from ..domain.authorization import Action, require
from ..domain.commands import DeleteVersions
from ..domain.errors import BackendUnavailable, InvalidTransition, ModelNotFound
from ..domain.models import EntryKind, Receipt, StageMove, VersionMetadata
from ..domain.stage_record import StageRecord
from ..domain.stages import Cause, Stage, requirement
from ..domain.validation import require_reason
from ..ledger.unit_of_work import ModelUnitOfWork
from .backends import Backends
from .projection.projection import Projection
from .write_operation import WriteOperation

log = logging.getLogger(__name__)


class DeletionService:
    def __init__(self, backends: Backends, projection: Projection) -> None:
        self._backends = backends
        self._projection = projection

    async def delete_model(self, command: DeleteVersions, operation_id: str | None) -> Receipt:
        """The receipt of the deletion. Raises as ``ModelRegistry.delete_model`` does."""
        require(command.actor, Action.DELETE)
        require_reason(command.reason, "a deletion")
        operation = _Deletion(self._backends, self._projection, command, operation_id)
        receipt = await operation.execute()
        # Also for a repetition: the first attempt may have ended before it came to the files.
        for move in receipt.entry.moves:
            folder = artifact_paths.bundle(command.tenant_id, command.model_id, move.version)
            try:
                await self._backends.artifacts.delete_folder(folder)
            except BackendUnavailable as error:
                log.warning(
                    "model %s: files of version %s remain: %s",
                    command.model_id,
                    move.version,
                    error,
                )
        return receipt


class _Deletion(WriteOperation[Receipt]):
    """All or nothing: of one version, or of all versions of the model."""

    def __init__(
        self,
        backends: Backends,
        projection: Projection,
        command: DeleteVersions,
        operation_id: str | None,
    ) -> None:
        super().__init__(backends, projection, command, operation_id)
        self._command = command

    async def prepare(self) -> None:
        await self.projection.prepare(self.tenant, self.model)

    async def change(self, work: ModelUnitOfWork) -> Receipt:
        number = self._command.version
        versions = await work.versions() if number is None else [await work.version(number)]
        if not versions:
            raise ModelNotFound(self.model)
        for item in versions:
            _check_never_productive(item, work.record(item.version))
            requirement(item.stage, Stage.DELETED, Cause.DELETION)
        entry = await work.append(
            EntryKind.DELETED,
            actor=str(self._command.actor),
            reason=self._command.reason,
            operation_id=self.request.operation_id,
            moves=[StageMove(item.version, item.stage, Stage.DELETED) for item in versions],
        )
        return Receipt(entry, repeated=False)

    def response(self, result: Receipt) -> dict[str, Any]:
        return {"deleted": True, "versions": [move.version for move in result.entry.moves]}

    async def restore(self, response: Mapping[str, Any]) -> Receipt:
        entry = await self.backends.ledger.read.entry_of(
            self.tenant, self.model, self.request.operation_id
        )
        assert entry is not None, "entries are never removed from the ledger"
        return Receipt(entry, repeated=True)


def _check_never_productive(version: VersionMetadata, record: StageRecord) -> None:
    """Raise :class:`InvalidTransition` if the version ever was in production."""
    if record.first_production is not None:
        raise InvalidTransition(
            version.stage,
            Stage.DELETED,
            advice=f"version {version.version} was in production (entry "
            f"{record.first_production} of the ledger), and is kept as a record",
        )
