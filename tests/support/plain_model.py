"""The expected life of one model, written down plainly: dictionaries, and no database."""

from __future__ import annotations

from dataclasses import dataclass, field

DEVELOPMENT, STAGING, PRODUCTION, ARCHIVED = "development", "staging", "production", "archived"

_NEEDS_A_REASON = {
    (PRODUCTION, ARCHIVED),
    (PRODUCTION, DEVELOPMENT),
    (STAGING, DEVELOPMENT),
    (ARCHIVED, DEVELOPMENT),
}
_NEEDS_PROOF = {
    (DEVELOPMENT, STAGING): ("validation",),
    (STAGING, PRODUCTION): ("shadow", "ab_test"),
}


@dataclass
class PlainModel:
    """Each method returns the code of the error that is due, or None once it has changed itself.

    ``verdicts`` are (gate, version, verdict, baseline, policy) in the order in which they came;
    ``productions`` what was in production after each entry; ``policies`` whether each policy asks
    for approval, the last being in force. ``since`` is how many verdicts there were when a version
    was last taken back: only later ones count. ``departures`` are (version, how) in the order in
    which versions left production; ``productive`` are all that ever were there.
    """

    stages: dict[int, str] = field(default_factory=dict)
    verdicts: list[tuple[str, int, str, int | None, int]] = field(default_factory=list)
    productions: list[int | None] = field(default_factory=list)
    policies: list[bool] = field(default_factory=lambda: [False])
    deleted: int = 0
    since: dict[int, int] = field(default_factory=dict)
    departures: list[tuple[int, str]] = field(default_factory=list)
    productive: set[int] = field(default_factory=set)

    @property
    def production(self) -> int | None:
        return next((v for v, stage in self.stages.items() if stage == PRODUCTION), None)

    @property
    def current(self) -> int | None:
        """The production version, else the newest in staging, else the newest."""
        in_staging = [v for v, stage in self.stages.items() if stage == STAGING]
        return self.production or max(in_staging, default=max(self.stages, default=None))

    def register(self) -> int:
        number = len(self.stages) + self.deleted + 1
        self.stages[number] = DEVELOPMENT
        self._entry()
        return number

    def judge(self, gate: str, version: int, verdict: str, baseline: int | None, old: bool) -> None:
        policy = len(self.policies) - (2 if old else 1)
        self.verdicts.append((gate, version, verdict, baseline, policy))

    def set_policy(self, approval: bool) -> None:
        self.policies.append(approval)
        self._entry()

    def transition(
        self, version: int, target: str, expected: object, *, force: bool, reason: str
    ) -> str | None:
        if force and not reason:
            return "invalid_input"
        if expected != "any" and expected != self.production:
            return "stale_production"
        source = self.stages.get(version)
        if source is None:
            return "version_not_found"
        edge = (source, target)
        if edge not in _NEEDS_A_REASON and edge not in _NEEDS_PROOF:
            return "invalid_transition"
        if edge in _NEEDS_A_REASON and not reason:
            return "invalid_input"
        if edge in _NEEDS_PROOF and not force and not self._proven(version, edge):
            return "gate_refused"
        if edge == (PRODUCTION, DEVELOPMENT):
            successor = self._superseded_last()
            self._leave(version, DEVELOPMENT, "rolled back")
            if successor is not None:
                self._enter(successor)
        elif edge == (PRODUCTION, ARCHIVED):
            self._leave(version, ARCHIVED, "retired")
        elif target == PRODUCTION:
            if self.production is not None:
                self._leave(self.production, ARCHIVED, "superseded")
            self._enter(version)
        else:
            if target == DEVELOPMENT:
                self.since[version] = len(self.verdicts)
            self.stages[version] = target
        self._entry()
        return None

    def _enter(self, version: int) -> None:
        self.stages[version] = PRODUCTION
        self.productive.add(version)

    def _leave(self, version: int, to: str, how: str) -> None:
        self.stages[version] = to
        self.departures.append((version, how))
        self.since[version] = len(self.verdicts)

    def _superseded_last(self) -> int | None:
        """The archived version that another one took the place of most recently."""
        last = dict(self.departures)
        return next(
            (
                version
                for version, _ in reversed(self.departures)
                if self.stages.get(version) == ARCHIVED and last[version] == "superseded"
            ),
            None,
        )

    def rollback(self, to: int | None, *, reason: str) -> str | None:
        if not reason:
            return "invalid_input"
        if to is None:
            to = self._superseded_last()
            if to is None:
                return "no_earlier_production"
        if to not in self.stages:
            return "version_not_found"
        if self.stages[to] != ARCHIVED:
            return "invalid_transition"
        if self.production is not None:
            self._leave(self.production, DEVELOPMENT, "rolled back")
        self._enter(to)
        self._entry()
        return None

    def delete(self, version: int | None, *, reason: str) -> str | None:
        if not reason:
            return "invalid_input"
        doomed = list(self.stages) if version is None else [version]
        if not doomed:
            return "model_not_found"
        if version is not None and version not in self.stages:
            return "version_not_found"
        if self.productive & set(doomed):
            return "invalid_transition"
        for item in doomed:
            del self.stages[item]
        self.deleted += len(doomed)
        self._entry()
        return None

    def _proven(self, version: int, edge: tuple[str, str]) -> bool:
        approved = (
            not self.policies[-1] or edge[1] != PRODUCTION or self._passed("approval", version)
        )
        return approved and any(self._passed(gate, version) for gate in _NEEDS_PROOF[edge])

    def _passed(self, gate: str, version: int) -> bool:
        """Whether the newest verdict that is about this, now, says PASS."""
        fitting = [
            verdict
            for of_gate, of_version, verdict, baseline, policy in self.verdicts[
                self.since.get(version, 0) :
            ]
            if (of_gate, of_version) == (gate, version)
            and baseline == self.production
            and policy == len(self.policies) - 1
        ]
        return fitting[-1:] == ["PASS"]

    def _entry(self) -> None:
        self.productions.append(self.production)
