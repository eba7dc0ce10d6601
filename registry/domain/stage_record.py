"""The sum of a version's moves: its stage, and the consequences of its past."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from .models import StageMove
from .stages import Stage


class Departure(StrEnum):
    """How a version left production."""

    SUPERSEDED = "superseded"
    RETIRED = "retired"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class StageRecord:
    """One version as the ledger's entries leave it.

    ``sequence`` is the entry that put it into its stage. Evidence counts if the ledger recorded it
    at epoch ``evidence_since`` or later: each move back to development or archived ends the
    validity of earlier proof. ``first_production`` is the entry with which the version first
    entered production, None if it never was there. ``left_production`` says how it last left.
    """

    stage: Stage | None = None
    sequence: int = 0
    evidence_since: int = 0
    first_production: int | None = None
    left_production: Departure | None = None

    def after(self, move: StageMove, moves: Collection[StageMove], sequence: int) -> StageRecord:
        """The record after ``move``, one of the ``moves`` of entry ``sequence``."""
        entered = move.target is Stage.PRODUCTION and self.first_production is None
        return replace(
            self,
            stage=move.target,
            sequence=sequence,
            evidence_since=sequence if ends_proof(move) else self.evidence_since,
            first_production=sequence if entered else self.first_production,
            left_production=departure(move, moves) or self.left_production,
        )


def ends_proof(move: StageMove) -> bool:
    """Whether evidence recorded before the move no longer counts after it."""
    return move.source is not None and move.target in (Stage.DEVELOPMENT, Stage.ARCHIVED)


def departure(move: StageMove, moves: Collection[StageMove]) -> Departure | None:
    """How ``move``, one of the ``moves`` of an entry, takes its version out of production; None
    if it does not."""
    if move.source is not Stage.PRODUCTION:
        return None
    if move.target is Stage.DEVELOPMENT:
        return Departure.ROLLED_BACK
    succeeded = any(item.target is Stage.PRODUCTION for item in moves)
    return Departure.SUPERSEDED if succeeded else Departure.RETIRED
