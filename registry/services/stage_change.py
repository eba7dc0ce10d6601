"""The common part of transitions and rollbacks: the way into production, and their entry."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..concurrency import run_concurrently
from ..domain.commands import ModelWrite
from ..domain.evidence import Evidence, Missing
from ..domain.models import EntryKind, ModelMetadata, Receipt, StageMove
from ..ledger.mappers import PromotionState
from ..ledger.unit_of_work import ModelUnitOfWork
from .backends import Backends
from .idempotency import model_response, restore_response
from .projection.projection import Projection
from .version_files import VersionFiles
from .write_operation import WriteOperation


class StageChange(WriteOperation[ModelMetadata]):
    """A write that moves versions between stages and returns the model."""

    def __init__(
        self,
        backends: Backends,
        projection: Projection,
        files: VersionFiles,
        command: ModelWrite,
        operation_id: str | None,
    ) -> None:
        super().__init__(backends, projection, command, operation_id)
        self._files = files
        self._actor = command.actor

    async def prepare_production(self, state: PromotionState | None) -> None:
        """Make MLflow ready for the move of the candidate into production, read MLflow's records
        of the versions that it is about, and verify the files of the candidate.

        Raises :class:`BundleCorrupt` if the version would serve other files than those that were
        judged. Whether it may go there at all, the transaction decides; also that a candidate was
        deleted meanwhile.
        """
        if state is None or state.candidate is None:
            return
        (manifest, folder), records = await run_concurrently(
            self._files.verify_bundle(state.candidate),
            self.projection.prepare_promotion(state),
        )
        record = records.by_number.get(state.candidate.version)
        await self._files.verify_served(state.candidate, record, manifest, folder)
        self.records = records

    async def append(
        self,
        work: ModelUnitOfWork,
        kind: EntryKind,
        moves: Sequence[StageMove],
        *,
        reason: str,
        evidence: Collection[Evidence] = (),
        waived: Collection[Missing] = (),
        detail: Mapping[str, object] | None = None,
    ) -> ModelMetadata:
        """Append the entry of ``moves``; the model after it, with its entry."""
        if waived:
            detail = {"waived": [item.document() for item in waived]}
        entry = await work.append(
            kind,
            actor=str(self._actor),
            reason=reason,
            operation_id=self.request.operation_id,
            moves=moves,
            evidence=evidence,
            forced=bool(waived),
            detail=detail,
        )
        return replace(await work.metadata(), receipt=Receipt(entry, repeated=False))

    def response(self, result: ModelMetadata) -> dict[str, Any]:
        return model_response(result)

    async def restore(self, response: Mapping[str, Any]) -> ModelMetadata:
        return await restore_response(
            self.backends.ledger, self.tenant, response, self.request.operation_id
        )
