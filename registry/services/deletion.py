"""Deletes versions that were never in production, and erases others. The ledger keeps a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..concurrency import run_concurrently
from ..domain.authorization import Action, require
from ..domain.commands import DeleteVersions, EraseVersion
from ..domain.errors import InvalidTransition, ModelNotFound
from ..domain.models import EntryKind, Receipt, StageMove, VersionMetadata
from ..domain.stage_record import StageRecord
from ..domain.stages import Cause, Stage, requirement
from ..domain.validation import require_reason
from ..ledger.unit_of_work import ModelUnitOfWork
from .backends import Backends
from .projection.projection import Projection
from .write_operation import WriteOperation


class DeletionService:
    def __init__(self, backends: Backends, projection: Projection) -> None:
        self._backends = backends
        self._projection = projection

    async def erase_version(self, command: EraseVersion, operation_id: str | None) -> Receipt:
        """The receipt of the erasure. Raises as ``ModelRegistry.erase_version`` does."""
        require(command.actor, Action.ERASE)
        require_reason(command.reason, "an erasure")
        return await _Erasure(self._backends, self._projection, command, operation_id).execute()

    async def delete_model(self, command: DeleteVersions, operation_id: str | None) -> Receipt:
        """The receipt of the deletion. Raises as ``ModelRegistry.delete_model`` does."""
        require(command.actor, Action.DELETE)
        require_reason(command.reason, "a deletion")
        return await _Deletion(self._backends, self._projection, command, operation_id).execute()


class _Removal(WriteOperation[Receipt]):
    """A write that moves versions to ``deleted``. Their files go with the versions in MLflow: the
    row in the outbox stands for both."""

    async def prepare(self) -> None:
        await self.projection.prepare(self.tenant, self.model)

    def response(self, result: Receipt) -> dict[str, Any]:
        return {"deleted": True, "versions": [move.version for move in result.entry.moves]}

    async def restore(self, response: Mapping[str, Any]) -> Receipt:
        read = self.backends.ledger.read
        entry, current = await run_concurrently(
            read.entry_of(self.tenant, self.model, self.request.operation_id),
            read.model(self.tenant, self.model),
        )
        assert entry is not None, "entries are never removed from the ledger"
        return Receipt(entry, replayed=True, current=current)


class _Deletion(_Removal):
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
        return Receipt(entry, replayed=False)


class _Erasure(_Removal):
    """Of one version that is not in production, whatever its past. The entry names what MLflow has
    of its training: the LoggedModel there holds a copy of the files, which is not the registry's
    to delete, as other versions may come from it."""

    def __init__(
        self,
        backends: Backends,
        projection: Projection,
        command: EraseVersion,
        operation_id: str | None,
    ) -> None:
        super().__init__(backends, projection, command, operation_id)
        self._command = command

    async def change(self, work: ModelUnitOfWork) -> Receipt:
        version = await work.version(self._command.version)
        requirement(version.stage, Stage.DELETED, Cause.ERASURE)
        entry = await work.append(
            EntryKind.ERASED,
            actor=str(self._command.actor),
            reason=self._command.reason,
            operation_id=self.request.operation_id,
            moves=[StageMove(version.version, version.stage, Stage.DELETED)],
            detail={
                "artifact_uri": version.artifact_uri,
                "bundle_digest": version.bundle_digest,
                "logged_model_id": version.logged_model_id,
                "run_id": version.run_id,
            },
        )
        return Receipt(entry, replayed=False)


def _check_never_productive(version: VersionMetadata, record: StageRecord) -> None:
    """Raise :class:`InvalidTransition` if the version ever was in production."""
    if record.first_production is not None:
        raise InvalidTransition(
            version.stage,
            Stage.DELETED,
            advice=f"version {version.version} was in production (entry "
            f"{record.first_production} of the ledger), and is kept as a record",
        )
