"""The life of a version: one table, and one function that reads it.

::

    DEVELOPMENT ──▶ STAGING ──▶ PRODUCTION ──▶ ARCHIVED
         │             │            │             │
     (deleted)     (deleted)   DEVELOPMENT   DEVELOPMENT, or
                               (rollback)    PRODUCTION (rollback)

A version that ever was in production is never deleted. Erasing it, for legal reasons, removes its
files from every stage but production, and it can go nowhere any more.

Nobody else compares stages: operators, API, command line and ledger ask :func:`requirement`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .enums import Cause, Gate, Stage
from .errors import InvalidInput, InvalidTransition

__all__ = ["TRANSITIONS", "Cause", "Gate", "Requirement", "Stage", "parse_stage", "requirement"]


@dataclass(frozen=True)
class Requirement:
    """Requirements of an edge: a PASS of at least one of ``any_gate``, approval and additional
    checks if the model's policy asks for them (``approval_by_policy``, ``checks_by_policy``), and
    a reason if ``reason``."""

    any_gate: tuple[Gate, ...] = ()
    approval_by_policy: bool = False
    checks_by_policy: bool = False
    reason: bool = False


TRANSITIONS: dict[tuple[Stage, Stage, Cause], Requirement] = {
    (Stage.DEVELOPMENT, Stage.STAGING, Cause.REQUEST): Requirement(any_gate=(Gate.VALIDATION,)),
    (Stage.STAGING, Stage.PRODUCTION, Cause.REQUEST): Requirement(
        any_gate=(Gate.SHADOW, Gate.AB_TEST), approval_by_policy=True, checks_by_policy=True
    ),
    (Stage.PRODUCTION, Stage.ARCHIVED, Cause.SUPERSEDED): Requirement(),
    (Stage.PRODUCTION, Stage.ARCHIVED, Cause.REQUEST): Requirement(reason=True),
    # A request for a rollback: the version before it takes its place, if there is one.
    (Stage.PRODUCTION, Stage.DEVELOPMENT, Cause.REQUEST): Requirement(reason=True),
    (Stage.STAGING, Stage.DEVELOPMENT, Cause.REQUEST): Requirement(reason=True),
    (Stage.ARCHIVED, Stage.DEVELOPMENT, Cause.REQUEST): Requirement(reason=True),
    (Stage.PRODUCTION, Stage.DEVELOPMENT, Cause.ROLLBACK): Requirement(reason=True),
    (Stage.ARCHIVED, Stage.PRODUCTION, Cause.ROLLBACK): Requirement(reason=True),
    (Stage.DEVELOPMENT, Stage.DELETED, Cause.DELETION): Requirement(),
    (Stage.STAGING, Stage.DELETED, Cause.DELETION): Requirement(),
    (Stage.DEVELOPMENT, Stage.DELETED, Cause.ERASURE): Requirement(reason=True),
    (Stage.STAGING, Stage.DELETED, Cause.ERASURE): Requirement(reason=True),
    (Stage.ARCHIVED, Stage.DELETED, Cause.ERASURE): Requirement(reason=True),
}

#: What to do instead, for the mistakes people make.
_ADVICE: dict[tuple[Stage, Stage], str] = {
    (Stage.DEVELOPMENT, Stage.PRODUCTION): "it has to pass through staging first",
    (Stage.ARCHIVED, Stage.PRODUCTION): "use rollback to bring an earlier version back",
    (Stage.PRODUCTION, Stage.DELETED): "a version in production is never deleted; retire it",
    (Stage.ARCHIVED, Stage.DELETED): "a version that was in production is kept as a record; where "
    "its files must go for legal reasons, erase it",
}


def parse_stage(value: Stage | str) -> Stage:
    """``value`` as a stage that a version can have. Raises :class:`InvalidInput`."""
    if value in LIVE_STAGES:
        return Stage(value)
    raise InvalidInput(
        f"stage {value!r:.80} is not valid: use one of {', '.join(LIVE_STAGES)}", field="stage"
    )


def requirement(source: Stage, target: Stage, cause: Cause = Cause.REQUEST) -> Requirement:
    """The requirement for moving a version from ``source`` to ``target``.

    Raises :class:`InvalidTransition`, with both ends as fields, for every pair not in the table.
    """
    required = TRANSITIONS.get((source, target, cause))
    if required is not None:
        return required
    raise InvalidTransition(source, target, advice=_advice(source, target, cause))


#: The stages a version can be in; a deleted version is a record, not a version.
LIVE_STAGES = (Stage.DEVELOPMENT, Stage.STAGING, Stage.PRODUCTION, Stage.ARCHIVED)


def _advice(source: Stage, target: Stage, cause: Cause) -> str:
    if source is target:
        return "it is there already"
    if cause is Cause.ROLLBACK:
        return (
            "only a version that was in production before, and is archived, can be rolled back to"
        )
    if cause is Cause.ERASURE:
        return "a version in production is not erased; roll back or retire it first"
    if (source, target) in _ADVICE:
        return _ADVICE[source, target]
    targets = [to for (at, to, cause) in TRANSITIONS if at is source and cause is Cause.REQUEST]
    return f"from {source} it can go to {' or '.join(targets)}" if targets else "it is final"
