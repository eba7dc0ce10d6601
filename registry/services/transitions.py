"""Moves versions between stages: promotion, retirement, rollback. The commit is one transaction."""

from __future__ import annotations

from collections.abc import Mapping

from ..concurrency import run_concurrently
from ..domain import identifiers
from ..domain.authorization import Action, Principal, principal, require
from ..domain.commands import MoveStage, RollBack
from ..domain.errors import (
    GateRefused,
    InvalidInput,
    NoEarlierProduction,
    StaleModel,
    StaleProduction,
)
from ..domain.evidence import Evidence, Missing, Subject, judge_evidence
from ..domain.models import ONNX_PARITY, EntryKind, ModelMetadata, StageMove, VersionMetadata
from ..domain.preconditions import (
    ANY,
    ExpectedEpoch,
    ExpectedProduction,
    check_epoch,
    check_expected,
    parse_expected,
    parse_expected_epoch,
)
from ..domain.stage_record import Departure
from ..domain.stages import TRANSITIONS, Cause, Stage, parse_stage, requirement
from ..domain.validation import validate_text
from ..ledger.mappers import Change, PromotionState
from ..ledger.unit_of_work import ModelUnitOfWork
from .backends import Backends
from .idempotency import (
    IdempotentRequest,
    idempotent_request,
    model_response,
    restore_response,
    stored_response,
    stored_response_locked,
)
from .projection.projection import Projection, VersionRecords
from .version_files import VersionFiles


class TransitionService:
    def __init__(self, stores: Backends, projection: Projection, files: VersionFiles) -> None:
        self._stores = stores
        self._projection = projection
        self._files = files

    async def transition_stage(
        self,
        tenant_id: str,
        model_id: str,
        version: int | str,
        target_stage: Stage | str,
        *,
        actor: Principal | str,
        reason: str = "",
        expected_production: ExpectedProduction = ANY,
        expected_epoch: ExpectedEpoch = ANY,
        force: bool = False,
        operation_id: str | None = None,
    ) -> ModelMetadata:
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        number, target = identifiers.version_number(version), parse_stage(target_stage)
        expected, epochs = parse_expected(expected_production), parse_expected_epoch(expected_epoch)
        validate_text(reason, field="reason")
        who = principal(actor)
        require(who, Action.MOVE_STAGE)
        if force:
            require(who, Action.FORCE)
            check_reason(reason, "a forced transition")
        command = MoveStage(
            actor=who,
            tenant_id=tenant,
            model_id=model,
            version=number,
            target=target,
            reason=reason,
            expected_production=expected,
            expected_epoch=epochs,
            force=force,
        )
        request = idempotent_request(operation_id, command)
        earlier, state = await run_concurrently(
            stored_response(self._stores.ledger, tenant, request),
            self._stores.ledger.read.promotion(tenant, model, number),
        )
        if earlier is None:
            if (
                target is Stage.DEVELOPMENT
                and state is not None
                and state.model.production_version == number
            ):
                require(who, Action.ROLL_BACK)
                return await self._rolled_back(command, request, leaving=number)
            # Before the lock, as in a rollback: reading a large bundle takes time.
            candidate = state.candidate if state else None
            records = None
            if candidate is not None and (candidate.stage, target, Cause.REQUEST) in _PROMOTIONS:
                records = await self._prepare_production(state)
            else:
                await self._projection.prepare(tenant, model)
            async with self._stores.ledger.begin(tenant, model) as work:
                earlier = await stored_response_locked(work, request)
                if earlier is None:
                    check_epoch(epochs, model, work.model.epoch)
                    check_expected(expected, work.model.production_version)
                    moves, used, waived = await self._transition(
                        work, number, target, reason=reason, force=force
                    )
                    change, answer = await self._commit(
                        work, EntryKind.MOVED, moves, request, who, reason, used, waived
                    )
        if earlier is not None:
            await self._projection.try_apply_pending(tenant, model)
            return await restore_response(self._stores.ledger, tenant, earlier)
        await self._projection.apply_change(tenant, model, change, records)
        return answer

    async def rollback(
        self,
        tenant_id: str,
        model_id: str,
        *,
        to_version: int | str | None = None,
        actor: Principal | str,
        reason: str,
        expected_production: ExpectedProduction = ANY,
        expected_epoch: ExpectedEpoch = ANY,
        operation_id: str | None = None,
    ) -> ModelMetadata:
        who = principal(actor)
        command = RollBack(
            actor=who,
            tenant_id=identifiers.tenant_id(tenant_id),
            model_id=identifiers.model_id(model_id),
            to_version=None if to_version is None else identifiers.version_number(to_version),
            reason=reason,
            expected_production=parse_expected(expected_production),
            expected_epoch=parse_expected_epoch(expected_epoch),
        )
        require(who, Action.ROLL_BACK)
        check_reason(reason, "a rollback")
        return await self._rolled_back(
            command, idempotent_request(operation_id, command), to_version=command.to_version
        )

    async def _rolled_back(
        self,
        command: RollBack | MoveStage,
        request: IdempotentRequest,
        *,
        to_version: int | None = None,
        leaving: int | None = None,
    ) -> ModelMetadata:
        """Put an earlier version into production, and the present one back to development.

        With ``leaving``, the version that has to be in production now, production becomes empty
        where no earlier version can take its place; without, that is NoEarlierProduction.
        """
        tenant, model = (
            identifiers.tenant_id(command.tenant_id),
            identifiers.model_id(command.model_id),
        )
        earlier = await stored_response(self._stores.ledger, tenant, request)
        records = None
        if earlier is None:
            await self._projection.prepare(tenant, model)
            async with self._stores.ledger.snapshot(tenant, model) as work:
                production = work.model.production_version
                check_expected(command.expected_production, production)
                if leaving not in (None, production):
                    raise StaleProduction(expected=leaving, actual=production)
                check_reason(command.reason, "moving a version from production to development")
                target = await _rollback_target(work, to_version, required=leaving is None)
            # Outside the lock: reading a large bundle takes time. The digest is fixed with the
            # version, so what was verified is what is moved; that production is still the one
            # the caller wanted gone is checked again below.
            if target is not None:
                state = await self._stores.ledger.read.promotion(tenant, model, target.version)
                records = await self._prepare_production(state)
            async with self._stores.ledger.begin(tenant, model) as work:
                earlier = await stored_response_locked(work, request)
                if earlier is None:
                    check_epoch(command.expected_epoch, model, work.model.epoch)
                    if work.model.production_version != production:
                        raise StaleProduction(
                            expected=production, actual=work.model.production_version
                        )
                    change, answer = await self._commit(
                        work,
                        EntryKind.ROLLED_BACK,
                        await _rollback_moves(work, target),
                        request,
                        command.actor,
                        command.reason,
                        detail={} if target else {"no_successor": _NO_SUCCESSOR},
                    )
        if earlier is not None:
            await self._projection.try_apply_pending(tenant, model)
            return await restore_response(self._stores.ledger, tenant, earlier)
        await self._projection.apply_change(tenant, model, change, records)
        return answer

    async def _prepare_production(self, state: PromotionState | None) -> VersionRecords | None:
        """MLflow ready for the move of the candidate into production, and the records of the
        versions that it is about. Raises :class:`BundleCorrupt` if the version is about to serve
        other files than those that were judged. Whether it may go there at all, its move decides.

        None where somebody has deleted the candidate meanwhile: the transaction reports that."""
        if state is None or state.candidate is None:
            return None
        (manifest, folder), records = await run_concurrently(
            self._files.verify_bundle(state.candidate),
            self._projection.prepare_promotion(state),
        )
        record = records.by_number.get(state.candidate.version)
        await self._files.verify_served(state.candidate, record, manifest, folder)
        return records

    async def _transition(
        self, work: ModelUnitOfWork, number: int, target: Stage, *, reason: str, force: bool
    ) -> tuple[list[StageMove], tuple[Evidence, ...], tuple[Missing, ...]]:
        version = await work.version(number)
        if version.stage is Stage.PRODUCTION and target is Stage.DEVELOPMENT:
            # It came into production while this call was on its way: a rollback looks for a
            # successor first, outside the lock.
            raise StaleModel(work.model.model_id, work.model.epoch)
        required = requirement(version.stage, target)
        if required.reason:
            check_reason(reason, f"moving a version from {version.stage} to {target}")
        used, missing = judge_evidence(
            required,
            subject(work, version),
            await work.evidence(number) if required.any_gate else (),
            now=work.clock.deadline,
        )
        if missing and not force:
            raise GateRefused(number, target, missing)
        moves = [StageMove(number, version.stage, target)]
        if target is Stage.PRODUCTION and work.model.production_version is not None:
            requirement(Stage.PRODUCTION, Stage.ARCHIVED, Cause.SUPERSEDED)
            moves.append(StageMove(work.model.production_version, Stage.PRODUCTION, Stage.ARCHIVED))
        return moves, used, missing

    async def _commit(
        self,
        work: ModelUnitOfWork,
        kind: EntryKind,
        moves: list[StageMove],
        request: IdempotentRequest,
        who: Principal,
        reason: str,
        used: tuple[Evidence, ...] = (),
        waived: tuple[Missing, ...] = (),
        detail: Mapping[str, object] | None = None,
    ) -> tuple[Change, ModelMetadata]:
        if waived:
            detail = {"waived": [item.document() for item in waived]}
        await work.append(
            kind,
            actor=str(who),
            reason=reason,
            operation_id=request.operation_id,
            moves=moves,
            evidence=used,
            forced=bool(waived),
            detail=detail,
        )
        answer = await work.metadata()
        await work.store_response(request.operation_id, request.fingerprint, model_response(answer))
        return await work.enqueue_sync(), answer


#: The moves into production that a caller may request.
_PROMOTIONS = frozenset(edge for edge in TRANSITIONS if edge[1] is Stage.PRODUCTION)
#: Why a rollback left production empty, in the words of the ledger's entry.
_NO_SUCCESSOR = "no earlier version of production could take its place"


async def _rollback_target(
    work: ModelUnitOfWork, number: int | None, *, required: bool
) -> VersionMetadata | None:
    """The version that a rollback brings back: ``number``, or the archived version that left
    production last, of those that another version superseded. A version that was retired or
    rolled back for a reason is brought back only by its number.

    Without one, None; NoEarlierProduction, with the candidates, where it is ``required``.
    """
    if number is None:
        archived = await work.archived()
        number = next(
            (item for item, past in archived if past.left_production is Departure.SUPERSEDED), None
        )
        if number is None:
            if required:
                raise NoEarlierProduction(work.model.model_id, (item for item, _ in archived))
            return None
    target = await work.version(number)
    requirement(target.stage, Stage.PRODUCTION, Cause.ROLLBACK)
    return target


async def _rollback_moves(work: ModelUnitOfWork, target: VersionMetadata | None) -> list[StageMove]:
    moves = []
    if target is not None:
        now = await work.version(target.version)
        requirement(now.stage, Stage.PRODUCTION, Cause.ROLLBACK)
        moves.append(StageMove(now.version, now.stage, Stage.PRODUCTION))
    if work.model.production_version is not None:
        requirement(Stage.PRODUCTION, Stage.DEVELOPMENT, Cause.ROLLBACK)
        moves.append(StageMove(work.model.production_version, Stage.PRODUCTION, Stage.DEVELOPMENT))
    return moves


def subject(work: ModelUnitOfWork, version: VersionMetadata) -> Subject:
    """What evidence has to be about to move this version now. The work has read the version."""
    return Subject(
        tenant_id=version.tenant_id,
        model_id=version.model_id,
        version=version.version,
        bundle_digest=version.bundle_digest,
        production=work.model.production_version,
        policy_fingerprint=work.model.policy_fingerprint,
        max_age=work.model.policy.max_age,
        approval_required=work.model.policy.require_approval,
        onnx_missing=work.model.policy.require_onnx and ONNX_PARITY not in version.tags,
        evidence_since=work.record(version.version).evidence_since,
        required_checks=work.model.policy.required_checks,
    )


def check_reason(reason: str, what: str) -> None:
    """Raise :class:`InvalidInput` unless ``reason`` says something that can be kept."""
    if not validate_text(reason, field="reason").strip():
        raise InvalidInput(f"{what} needs a reason; it is kept in the ledger", field="reason")
