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
from ..domain.validation import text
from ..ledger.mappers import Change, PromotionState
from ..ledger.unit_of_work import ModelUnitOfWork
from .backends import Stores
from .idempotency import Request, answer_in, answered_model, earlier_answer, model_answer, request
from .projection.projection import Projection, VersionRecords
from .version_files import VersionFiles


class TransitionService:
    def __init__(self, stores: Stores, projection: Projection, files: VersionFiles) -> None:
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
        text(reason, field="reason")
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
        asked = request(operation_id, command)
        earlier, state = await run_concurrently(
            earlier_answer(self._stores.ledger, tenant, asked),
            self._stores.ledger.read.promotion(tenant, model, number),
        )
        if earlier is None:
            if (
                target is Stage.DEVELOPMENT
                and state is not None
                and state.model.production_version == number
            ):
                require(who, Action.ROLL_BACK)
                return await self._rolled_back(command, asked, leaving=number)
            # Before the lock, as in a rollback: reading a large bundle takes time.
            candidate = state.candidate if state else None
            records = None
            if candidate is not None and (candidate.stage, target, Cause.REQUEST) in _PROMOTIONS:
                records = await self._prepare_production(state)
            else:
                await self._projection.prepare(tenant, model)
            async with self._stores.ledger.book(tenant, model) as book:
                earlier = await answer_in(book, asked)
                if earlier is None:
                    check_epoch(epochs, model, book.model.epoch)
                    check_expected(expected, book.model.production_version)
                    moves, used, waived = await self._transition(
                        book, number, target, reason=reason, force=force
                    )
                    change, answer = await self._commit(
                        book, EntryKind.MOVED, moves, asked, who, reason, used, waived
                    )
        if earlier is not None:
            await self._projection.catch_up(tenant, model)
            return await answered_model(self._stores.ledger, tenant, earlier)
        await self._projection.follow(tenant, model, change, records)
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
            command, request(operation_id, command), to_version=command.to_version
        )

    async def _rolled_back(
        self,
        command: RollBack | MoveStage,
        asked: Request,
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
        earlier = await earlier_answer(self._stores.ledger, tenant, asked)
        records = None
        if earlier is None:
            await self._projection.prepare(tenant, model)
            async with self._stores.ledger.snapshot(tenant, model) as book:
                production = book.model.production_version
                check_expected(command.expected_production, production)
                if leaving not in (None, production):
                    raise StaleProduction(expected=leaving, actual=production)
                check_reason(command.reason, "moving a version from production to development")
                target = await _rollback_target(book, to_version, required=leaving is None)
            # Outside the lock: reading a large bundle takes time. The digest is fixed with the
            # version, so what was verified is what is moved; that production is still the one
            # the caller wanted gone is checked again below.
            if target is not None:
                state = await self._stores.ledger.read.promotion(tenant, model, target.version)
                records = await self._prepare_production(state)
            async with self._stores.ledger.book(tenant, model) as book:
                earlier = await answer_in(book, asked)
                if earlier is None:
                    check_epoch(command.expected_epoch, model, book.model.epoch)
                    if book.model.production_version != production:
                        raise StaleProduction(
                            expected=production, actual=book.model.production_version
                        )
                    change, answer = await self._commit(
                        book,
                        EntryKind.ROLLED_BACK,
                        await _rollback_moves(book, target),
                        asked,
                        command.actor,
                        command.reason,
                        detail={} if target else {"no_successor": _NO_SUCCESSOR},
                    )
        if earlier is not None:
            await self._projection.catch_up(tenant, model)
            return await answered_model(self._stores.ledger, tenant, earlier)
        await self._projection.follow(tenant, model, change, records)
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
        self, book: ModelUnitOfWork, number: int, target: Stage, *, reason: str, force: bool
    ) -> tuple[list[StageMove], tuple[Evidence, ...], tuple[Missing, ...]]:
        version = await book.version(number)
        if version.stage is Stage.PRODUCTION and target is Stage.DEVELOPMENT:
            # It came into production while this call was on its way: a rollback looks for a
            # successor first, outside the lock.
            raise StaleModel(book.model.model_id, book.model.epoch)
        required = requirement(version.stage, target)
        if required.reason:
            check_reason(reason, f"moving a version from {version.stage} to {target}")
        used, missing = judge_evidence(
            required,
            subject(book, version),
            await book.evidence(number) if required.any_gate else (),
            now=book.clock.deadline,
        )
        if missing and not force:
            raise GateRefused(number, target, missing)
        moves = [StageMove(number, version.stage, target)]
        if target is Stage.PRODUCTION and book.model.production_version is not None:
            requirement(Stage.PRODUCTION, Stage.ARCHIVED, Cause.SUPERSEDED)
            moves.append(StageMove(book.model.production_version, Stage.PRODUCTION, Stage.ARCHIVED))
        return moves, used, missing

    async def _commit(
        self,
        book: ModelUnitOfWork,
        kind: EntryKind,
        moves: list[StageMove],
        asked: Request,
        who: Principal,
        reason: str,
        used: tuple[Evidence, ...] = (),
        waived: tuple[Missing, ...] = (),
        detail: Mapping[str, object] | None = None,
    ) -> tuple[Change, ModelMetadata]:
        if waived:
            detail = {"waived": [item.document() for item in waived]}
        await book.append(
            kind,
            actor=str(who),
            reason=reason,
            operation_id=asked.operation_id,
            moves=moves,
            evidence=used,
            forced=bool(waived),
            detail=detail,
        )
        answer = await book.metadata()
        await book.answer(asked.operation_id, asked.fingerprint, model_answer(answer))
        return await book.announce(), answer


#: The moves into production that a caller may request.
_PROMOTIONS = frozenset(edge for edge in TRANSITIONS if edge[1] is Stage.PRODUCTION)
#: Why a rollback left production empty, in the words of the ledger's entry.
_NO_SUCCESSOR = "no earlier version of production could take its place"


async def _rollback_target(
    book: ModelUnitOfWork, number: int | None, *, required: bool
) -> VersionMetadata | None:
    """The version that a rollback brings back: ``number``, or the archived version that left
    production last, of those that another version superseded. A version that was retired or
    rolled back for a reason is brought back only by its number.

    Without one, None; NoEarlierProduction, with the candidates, where it is ``required``.
    """
    if number is None:
        archived = await book.archived()
        number = next(
            (item for item, past in archived if past.left_production is Departure.SUPERSEDED), None
        )
        if number is None:
            if required:
                raise NoEarlierProduction(book.model.model_id, (item for item, _ in archived))
            return None
    target = await book.version(number)
    requirement(target.stage, Stage.PRODUCTION, Cause.ROLLBACK)
    return target


async def _rollback_moves(book: ModelUnitOfWork, target: VersionMetadata | None) -> list[StageMove]:
    moves = []
    if target is not None:
        now = await book.version(target.version)
        requirement(now.stage, Stage.PRODUCTION, Cause.ROLLBACK)
        moves.append(StageMove(now.version, now.stage, Stage.PRODUCTION))
    if book.model.production_version is not None:
        requirement(Stage.PRODUCTION, Stage.DEVELOPMENT, Cause.ROLLBACK)
        moves.append(StageMove(book.model.production_version, Stage.PRODUCTION, Stage.DEVELOPMENT))
    return moves


def subject(book: ModelUnitOfWork, version: VersionMetadata) -> Subject:
    """What evidence has to be about to move this version now. The book has read the version."""
    return Subject(
        tenant_id=version.tenant_id,
        model_id=version.model_id,
        version=version.version,
        bundle_digest=version.bundle_digest,
        production=book.model.production_version,
        policy_fingerprint=book.model.policy_fingerprint,
        max_age=book.model.policy.max_age,
        approval_required=book.model.policy.require_approval,
        onnx_missing=book.model.policy.require_onnx and ONNX_PARITY not in version.tags,
        evidence_since=book.record(version.version).evidence_since,
        required_checks=book.model.policy.required_checks,
    )


def check_reason(reason: str, what: str) -> None:
    """Raise :class:`InvalidInput` unless ``reason`` says something that can be kept."""
    if not text(reason, field="reason").strip():
        raise InvalidInput(f"{what} needs a reason; it is kept in the ledger", field="reason")
