"""Rollback: an earlier version returns to production, the present one goes to development."""

from __future__ import annotations

from ..concurrency import run_concurrently
from ..domain.commands import MoveStage, RollBack
from ..domain.errors import NoEarlierProduction, StaleProduction
from ..domain.models import EntryKind, ModelMetadata, StageMove, VersionMetadata
from ..domain.preconditions import check_expected
from ..domain.stage_record import Departure
from ..domain.stages import Cause, Stage, requirement
from ..domain.validation import require_reason
from ..ledger.unit_of_work import ModelUnitOfWork
from .backends import Backends
from .projection.projection import Projection
from .stage_change import StageChange
from .version_files import VersionFiles

#: Why a rollback left production empty, in the words of the ledger's entry.
_NO_SUCCESSOR = "no earlier version of production could take its place"


class RollbackOperation(StageChange):
    """``command`` is a rollback, or the move of the production version to development.

    After such a move, production is empty where no earlier version can take its place; a rollback
    is refused then.
    """

    def __init__(
        self,
        backends: Backends,
        projection: Projection,
        files: VersionFiles,
        command: RollBack | MoveStage,
        operation_id: str | None,
    ) -> None:
        super().__init__(backends, projection, files, command, operation_id)
        self._command = command
        self._production: int | None = None
        self._target: VersionMetadata | None = None

    async def prepare(self) -> None:
        """Choose the version that returns and verify its files: outside of the lock, since reading
        a large bundle takes time. The digest is fixed with the version, so what was verified is
        what is moved. That production is still the same, :meth:`change` checks again."""
        command = self._command
        async with self.backends.ledger.snapshot(self.tenant, self.model) as work:
            self._production = work.model.production_version
            check_expected(command.expected_production, self._production)
            if isinstance(command, MoveStage):
                if command.version != self._production:
                    raise StaleProduction(expected=command.version, actual=self._production)
                require_reason(command.reason, "moving a version from production to development")
                self._target = await _successor(work, None, required=False)
            else:
                self._target = await _successor(work, command.to_version, required=True)
        if self._target is None:
            await self.prepare_other()
            return
        read = self.backends.ledger.read
        state = await read.promotion(self.tenant, self.model, self._target.version)
        if command.without_verification:
            await self.prepare_production(state)
            return
        # A ledger that was restored from a backup may name a wrong version to go back to.
        await run_concurrently(
            self.projection.require_anchored(self.tenant, self.model),
            self.prepare_production(state),
        )

    async def change(self, work: ModelUnitOfWork) -> ModelMetadata:
        if work.model.production_version != self._production:
            raise StaleProduction(expected=self._production, actual=work.model.production_version)
        return await self.append(
            work,
            EntryKind.ROLLED_BACK,
            await _moves(work, self._target),
            reason=self._command.reason,
            detail={} if self._target else {"no_successor": _NO_SUCCESSOR},
        )


async def _successor(
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


async def _moves(work: ModelUnitOfWork, target: VersionMetadata | None) -> list[StageMove]:
    moves = []
    if target is not None:
        now = await work.version(target.version)
        requirement(now.stage, Stage.PRODUCTION, Cause.ROLLBACK)
        moves.append(StageMove(now.version, now.stage, Stage.PRODUCTION))
    if work.model.production_version is not None:
        requirement(Stage.PRODUCTION, Stage.DEVELOPMENT, Cause.ROLLBACK)
        moves.append(StageMove(work.model.production_version, Stage.PRODUCTION, Stage.DEVELOPMENT))
    return moves
