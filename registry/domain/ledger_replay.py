"""Replays a ledger's entries by the rules they had to be written by.

The hash chain proves only what its holder left in it. An entry that somebody inserted with the
right hashes still has to be an allowed move, from the stage the version was in, on evidence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .errors import InvalidTransition, LedgerCorrupt
from .evidence import Evidence, Verdict
from .models import EntryKind, LedgerEntry, StageMove
from .promotion_policy import PromotionPolicy
from .stage_record import StageRecord
from .stages import Cause, Gate, Requirement, Stage, requirement

#: Why the moves of an entry of this kind happen; a move that takes production away to make room
#: is ``superseded``.
_CAUSES = {
    EntryKind.MOVED: Cause.REQUEST,
    EntryKind.ROLLED_BACK: Cause.ROLLBACK,
    EntryKind.DELETED: Cause.DELETION,
    EntryKind.ERASED: Cause.ERASURE,
}
#: In the detail of an entry with which a version enters: the digest of its metadata.
REGISTRATION_DIGEST = "registration_digest"
_ENTERING = (EntryKind.REGISTERED, EntryKind.ADOPTED)


class LedgerReplay:
    """The sum of one model's entries; each is checked before it is added."""

    def __init__(self, model_id: str) -> None:
        self.records: dict[int, StageRecord] = {}
        self._model_id = model_id
        self._production: int | None = None
        self._productive: set[int] = set()
        self._policy = PromotionPolicy()

    def follow(self, entry: LedgerEntry, evidence: Mapping[str, Evidence]) -> None:
        """Apply ``entry``. ``evidence`` holds, by id, what it stands on.

        Raises :class:`LedgerCorrupt` naming the entry and the rule that it breaks.
        """
        if entry.previous_production != self._production:
            self._refuse(entry, "names another production version before it than there was")
        for move in entry.moves:
            self._check_move(entry, move, evidence)
        for move in entry.moves:
            record = self.records.get(move.version, StageRecord())
            self.records[move.version] = record.after(move, entry.moves, entry.sequence)
        self._check_production(entry)
        self._production = entry.production
        if entry.kind is EntryKind.POLICY_SET:
            self._policy = PromotionPolicy.from_document(entry.detail.get("policy"))

    def _check_move(
        self, entry: LedgerEntry, move: StageMove, evidence: Mapping[str, Evidence]
    ) -> None:
        source = self.records.get(move.version, StageRecord()).stage
        if move.source is not source:
            self._refuse(
                entry,
                f"moves version {move.version} from {move.source or 'nowhere'}, "
                f"but it was {f'in {source}' if source else 'nowhere'}",
            )
        if entry.kind in _ENTERING:
            if source is not None or move.target is not Stage.DEVELOPMENT:
                self._refuse(entry, f"enters version {move.version} in {move.target}")
            return
        required = self._requirement(entry, move)
        if required.reason and not entry.reason.strip():
            self._refuse(entry, f"moves version {move.version} to {move.target} without a reason")
        if entry.kind is EntryKind.DELETED and self.records[move.version].first_production:
            self._refuse(entry, f"deletes version {move.version}, which was in production")
        if not entry.forced:
            self._check_proof(entry, move, required, evidence)

    def _requirement(self, entry: LedgerEntry, move: StageMove) -> Requirement:
        cause = _CAUSES.get(entry.kind)
        makes_room = move.source is Stage.PRODUCTION and any(
            item.target is Stage.PRODUCTION for item in entry.moves
        )
        if cause is Cause.REQUEST and makes_room:
            cause = Cause.SUPERSEDED
        try:
            if cause is None or move.source is None:
                self._refuse(entry, f"is of kind {entry.kind}, but moves version {move.version}")
            else:
                return requirement(move.source, move.target, cause)
        except InvalidTransition as error:
            self._refuse(entry, f"breaks the rules: {error}")
        return Requirement()

    def _check_proof(
        self,
        entry: LedgerEntry,
        move: StageMove,
        required: Requirement,
        evidence: Mapping[str, Evidence],
    ) -> None:
        since = self.records[move.version].evidence_since
        named = [evidence.get(str(item.get("evidence_id"))) for item in entry.evidence]
        used = [
            item
            for item in named
            if item is not None
            and item.version == move.version
            and item.verdict is Verdict.PASS
            and item.epoch >= since
            and item.baseline == self._production
            and item.policy_fingerprint == self._policy.fingerprint
        ]
        gates = {item.gate for item in used}
        if required.any_gate and not gates & set(required.any_gate):
            self._refuse(entry, _without(move, " or ".join(required.any_gate)))
        approval_due = required.approval_by_policy and self._policy.require_approval
        if approval_due and Gate.APPROVAL not in gates:
            self._refuse(entry, _without(move, Gate.APPROVAL))
        if required.checks_by_policy:
            self._check_named(entry, move, {item.check for item in used})

    def _check_named(
        self, entry: LedgerEntry, move: StageMove, passed: Collection[str | None]
    ) -> None:
        for name in self._policy.required_checks:
            if name not in passed:
                self._refuse(entry, _without(move, name))

    def _check_production(self, entry: LedgerEntry) -> None:
        for move in entry.moves:
            self._productive.discard(move.version)
            if self.records[move.version].stage is Stage.PRODUCTION:
                self._productive.add(move.version)
        productive = sorted(self._productive)
        if len(productive) > 1:
            self._refuse(entry, f"leaves {len(productive)} versions in production: {productive}")
        if entry.production != next(iter(productive), None):
            self._refuse(entry, "names another production version after it than its moves leave")

    def _refuse(self, entry: LedgerEntry, problem: str) -> None:
        raise LedgerCorrupt(self._model_id, entry.sequence, problem)


def _without(move: StageMove, what: str) -> str:
    return (
        f"moves version {move.version} from {move.source} to {move.target} without evidence of "
        f"{what} that counted then, and not by force"
    )
