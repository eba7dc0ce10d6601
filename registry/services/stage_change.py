"""The common part of transitions and rollbacks: the way into production, and their entry."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..concurrency import run_concurrently
from ..domain.commands import MoveStage, RollBack
from ..domain.evidence import Evidence, Missing
from ..domain.models import EntryKind, ModelMetadata, Receipt, StageMove
from ..ledger.mappers import PromotionState
from ..ledger.unit_of_work import ModelUnitOfWork
from .attempts import Attempt, attempt
from .backends import Backends
from .idempotency import model_response, restore_response
from .projection.projection import Projection, VersionRecords
from .version_files import VersionFiles
from .write_operation import WriteOperation


class StageChange(WriteOperation[ModelMetadata]):
    """A write that moves versions between stages and returns the model."""

    def __init__(
        self,
        backends: Backends,
        projection: Projection,
        files: VersionFiles,
        command: MoveStage | RollBack,
        operation_id: str | None,
    ) -> None:
        super().__init__(backends, projection, command, operation_id)
        self._files = files
        self._actor = command.actor
        self._without_verification = command.without_verification
        #: What could not be verified, and why, where the caller accepts that.
        self._unverified: dict[str, str] = {}

    async def prepare_production(self, state: PromotionState | None) -> None:
        """Make MLflow ready for the move of the candidate into production, read MLflow's records
        of the versions that it is about, and verify the files of the candidate.

        Raises :class:`BundleCorrupt` if the version would serve other files than those that were
        judged. Whether it may go there at all, the transaction decides; also that a candidate was
        deleted meanwhile.
        """
        if state is None or state.candidate is None:
            return
        if self._without_verification:
            await self._verify_if_possible(state)
            return
        began = time.monotonic()
        candidate, production = await run_concurrently(
            self._files.verify(state.candidate), self.projection.prepare_promotion(state)
        )
        self.records = VersionRecords.of(state.versions, (candidate, production), began)

    async def prepare_other(self) -> None:
        """Make MLflow ready for a move that is not into production. Raises BackendUnavailable,
        unless the caller does without it."""
        if not self._without_verification:
            await self.projection.prepare(self.tenant, self.model)
            return
        ready = await attempt(self.projection.prepare(self.tenant, self.model))
        self._note("mlflow", ready)

    async def _verify_if_possible(self, state: PromotionState) -> None:
        """:meth:`prepare_production`, where a store that does not answer within seconds is noted
        and no obstacle. Files that are read and differ refuse the move all the same."""
        assert state.candidate is not None, "the caller has looked"
        began = time.monotonic()
        bundle, (candidate, production) = await run_concurrently(
            attempt(self._files.verify_registered(state.candidate)),
            run_concurrently(
                attempt(self._files.record(state.candidate)),
                attempt(self.projection.prepare_promotion(state)),
            ),
        )
        self._note("files", bundle)
        for answer in (candidate, production):
            self._note("mlflow", answer)
        if self._unverified or bundle.result is None:
            return
        records = (candidate.result, production.result)
        self.records = VersionRecords.of(state.versions, records, began)
        served = self._files.verify_served(state.candidate, candidate.result, bundle.result)
        self._note("files", await attempt(served))

    def _note(self, what: str, outcome: Attempt[Any]) -> None:
        if outcome.problem is not None:
            self._unverified[what] = outcome.problem
            # A row in the outbox waits for MLflow, not the caller, who has waited already.
            self.is_left_to_outbox = self.is_left_to_outbox or what == "mlflow"

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
        detail = dict(detail or {})
        if waived:
            detail["waived"] = [item.document() for item in waived]
        if self._unverified:
            detail["without_verification"] = self._unverified
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
        return replace(await work.metadata(), receipt=Receipt(entry, replayed=False))

    def response(self, result: ModelMetadata) -> dict[str, Any]:
        return model_response(result)

    async def restore(self, response: Mapping[str, Any]) -> ModelMetadata:
        return await restore_response(
            self.backends.ledger, self.tenant, response, self.request.operation_id
        )
