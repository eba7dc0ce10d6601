"""What the life of one model has to be, written down plainly: dictionaries, and no database."""

from __future__ import annotations

from dataclasses import dataclass, field

DEVELOPMENT, STAGING, PRODUCTION, ARCHIVED = "development", "staging", "production", "archived"

_NEEDS_A_REASON = {(PRODUCTION, ARCHIVED), (STAGING, DEVELOPMENT), (ARCHIVED, DEVELOPMENT)}
_NEEDS_PROOF = {
    (DEVELOPMENT, STAGING): ("validation",),
    (STAGING, PRODUCTION): ("shadow", "ab_test"),
}


@dataclass
class PlainModel:
    """Each method returns the code of the error that is due, or None once it has changed itself.

    ``verdicts`` are (gate, version, verdict, baseline, policy) in the order in which they came;
    ``productions`` what was in production after each entry; ``policies`` whether each policy asks
    for approval, the last being in force.
    """

    stages: dict[int, str] = field(default_factory=dict)
    verdicts: list[tuple[str, int, str, int | None, int]] = field(default_factory=list)
    productions: list[int | None] = field(default_factory=list)
    policies: list[bool] = field(default_factory=lambda: [False])
    deleted: int = 0

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
        if target == PRODUCTION and self.production is not None:
            self.stages[self.production] = ARCHIVED
        self.stages[version] = target
        self._entry()
        return None

    def rollback(self, to: int | None, *, reason: str) -> str | None:
        if not reason:
            return "invalid_input"
        if to is None:
            to = next(
                (
                    version
                    for version in reversed(self.productions)
                    if version is not None and self.stages.get(version) == ARCHIVED
                ),
                None,
            )
            if to is None:
                return "no_earlier_production"
        if to not in self.stages:
            return "version_not_found"
        if self.stages[to] != ARCHIVED:
            return "invalid_transition"
        if self.production is not None:
            self.stages[self.production] = DEVELOPMENT
        self.stages[to] = PRODUCTION
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
        if any(self.stages[item] in (PRODUCTION, ARCHIVED) for item in doomed):
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
            for of_gate, of_version, verdict, baseline, policy in self.verdicts
            if (of_gate, of_version) == (gate, version)
            and baseline == self.production
            and policy == len(self.policies) - 1
        ]
        return fitting[-1:] == ["PASS"]

    def _entry(self) -> None:
        self.productions.append(self.production)
