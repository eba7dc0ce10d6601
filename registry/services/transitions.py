"""Moves versions between stages: promotion, retirement, rollback. The commit is one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from ..attestation.keys import trusted_keys
from ..attestation.verdict_statement import untrusted
from ..domain.authorization import Action, require
from ..domain.commands import MoveStage, RollBack
from ..domain.errors import GateRefused, StaleModel, VersionNotFound
from ..domain.evidence import Evidence, Subject, judge_evidence
from ..domain.models import ONNX_PARITY, EntryKind, ModelMetadata, StageMove, VersionMetadata
from ..domain.preconditions import check_expected
from ..domain.stages import TRANSITIONS, Cause, Stage, requirement
from ..domain.validation import require_reason
from ..ledger.mappers import PromotionState
from ..ledger.unit_of_work import ModelUnitOfWork
from .backends import Backends
from .projection.projection import Projection
from .rollback import RollbackOperation
from .stage_change import StageChange
from .version_files import VersionFiles

#: The moves into production that a caller may request.
_PROMOTIONS = frozenset(edge for edge in TRANSITIONS if edge[1] is Stage.PRODUCTION)


class TransitionService:
    def __init__(self, backends: Backends, projection: Projection, files: VersionFiles) -> None:
        self._backends = backends
        self._projection = projection
        self._files = files

    async def transition_stage(self, command: MoveStage, operation_id: str | None) -> ModelMetadata:
        """The model after the move. Raises as ``ModelRegistry.transition_stage`` does."""
        require(command.actor, Action.MOVE_STAGE)
        _check_verification(command)
        if command.force:
            require(command.actor, Action.FORCE)
            require_reason(command.reason, "a forced transition")
        if command.target is Stage.DEVELOPMENT and await self._is_in_production(command):
            require(command.actor, Action.ROLL_BACK)
            return await self._roll_back(command, operation_id)
        return await Transition(
            self._backends, self._projection, self._files, command, operation_id
        ).execute()

    async def rollback(self, command: RollBack, operation_id: str | None) -> ModelMetadata:
        """The model after the rollback. Raises as ``ModelRegistry.rollback`` does."""
        require(command.actor, Action.ROLL_BACK)
        require_reason(command.reason, "a rollback")
        _check_verification(command)
        return await self._roll_back(command, operation_id)

    async def _roll_back(
        self, command: RollBack | MoveStage, operation_id: str | None
    ) -> ModelMetadata:
        return await RollbackOperation(
            self._backends, self._projection, self._files, command, operation_id
        ).execute()

    async def _is_in_production(self, command: MoveStage) -> bool:
        row = await self._backends.ledger.read.row(command.tenant_id, command.model_id)
        return row is not None and row.production_version == command.version


class Transition(StageChange):
    """The move of one version; a promotion also archives the version that it replaces."""

    def __init__(
        self,
        backends: Backends,
        projection: Projection,
        files: VersionFiles,
        command: MoveStage,
        operation_id: str | None,
    ) -> None:
        super().__init__(backends, projection, files, command, operation_id)
        self._command = command
        self._state: PromotionState | None = None

    async def read(self) -> None:
        self._state = await self.backends.ledger.read.promotion(
            self.tenant, self.model, self._command.version
        )

    async def prepare(self) -> None:
        """Before the lock, as in a rollback: reading a large bundle takes time."""
        candidate = self._state.candidate if self._state else None
        edge = candidate and (candidate.stage, self._command.target, Cause.REQUEST)
        if edge in _PROMOTIONS:
            await self.prepare_production(self._state)
        else:
            await self.prepare_other()

    async def change(self, work: ModelUnitOfWork) -> ModelMetadata:
        command = self._command
        number, target = command.version, command.target
        check_expected(command.expected_production, work.model.production_version)
        version = await work.version(number)
        if version.stage is Stage.PRODUCTION and target is Stage.DEVELOPMENT:
            # It came into production while this call was on its way: a rollback looks for a
            # successor first, outside the lock.
            raise StaleModel(work.model.model_id, work.model.epoch)
        required = requirement(version.stage, target)
        if required.reason:
            require_reason(command.reason, f"moving a version from {version.stage} to {target}")
        recorded = await work.evidence(number) if required.any_gate else []
        evidence, missing = judge_evidence(
            required,
            await subject(work, version, recorded),
            recorded,
            now=work.clock.deadline,
        )
        if missing and not command.force:
            raise GateRefused(number, target, missing)
        moves = [StageMove(number, version.stage, target)]
        if target is Stage.PRODUCTION and work.model.production_version is not None:
            requirement(Stage.PRODUCTION, Stage.ARCHIVED, Cause.SUPERSEDED)
            moves.append(StageMove(work.model.production_version, Stage.PRODUCTION, Stage.ARCHIVED))
        return await self.append(
            work,
            EntryKind.MOVED,
            moves,
            reason=command.reason,
            evidence=evidence,
            waived=missing,
        )


def _check_verification(command: MoveStage | RollBack) -> None:
    """Raise PermissionDenied or InvalidInput where the command may not go without verification."""
    if command.without_verification:
        require(command.actor, Action.SKIP_VERIFICATION)
        require_reason(command.reason, "a move without verification")


async def subject(
    work: ModelUnitOfWork, version: VersionMetadata, evidence: Collection[Evidence]
) -> Subject:
    """The subject that ``evidence`` must be about to move this version now. The unit of work has
    read the version."""
    model, since = work.model, work.record(version.version).evidence_since
    pems = model.policy.trusted_keys if evidence else ()
    keys = await asyncio.to_thread(trusted_keys, pems) if pems else ()
    digests = await baseline_digests(work, model.production_version) if keys else {}
    return Subject(
        tenant_id=version.tenant_id,
        model_id=version.model_id,
        version=version.version,
        bundle_digest=version.bundle_digest,
        production=model.production_version,
        policy_fingerprint=model.policy_fingerprint,
        max_age=model.policy.max_age,
        approval_required=model.policy.require_approval,
        onnx_missing=model.policy.require_onnx and ONNX_PARITY not in version.tags,
        evidence_since=since,
        required_checks=model.policy.required_checks,
        untrusted=untrusted(evidence, keys, digests, evidence_since=since),
    )


async def baseline_digests(work: ModelUnitOfWork, baseline: int | None) -> dict[int, str]:
    """The bundle digest of the version that evidence compares with; empty where there is none."""
    if baseline is None:
        return {}
    try:
        return {baseline: (await work.version(baseline)).bundle_digest}
    except VersionNotFound:
        return {}
