"""Conflicts: the state is no longer the one that the caller has read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .base import RegistryError


class Conflict(RegistryError):
    """Somebody else was first. Read the state again and decide again."""

    code = "conflict"


class StaleModel(Conflict):
    """The model has changed since the caller read it: the loser of a race of writers gets this."""

    code = "stale_model"

    def __init__(self, model_id: str, epoch: int) -> None:
        super().__init__(
            f"model {model_id!r} has changed since the state that was to be changed; it is at "
            f"epoch {epoch} now, and nothing was changed. Read it again, then decide again."
        )
        self.model_id = model_id
        self.epoch = epoch

    def details(self) -> dict[str, Any]:
        return {"model_id": self.model_id, "epoch": self.epoch}


class StaleProduction(Conflict):
    """Production is not what the caller expected: the loser of a promotion race gets this."""

    code = "stale_production"

    def __init__(self, *, expected: int | None, actual: int | None) -> None:
        super().__init__(
            f"expected production to be {_version(expected)}, but it is {_version(actual)}; "
            "nothing was changed. Look at the version in production now, then decide again."
        )
        self.expected = expected
        self.actual = actual

    def details(self) -> dict[str, Any]:
        return {"expected": self.expected, "actual": self.actual}


class NoEarlierProduction(Conflict):
    """No version is left that a rollback may choose by itself. Nothing was changed.

    ``candidates`` are the archived versions that were retired for a reason: a rollback goes to
    one of them only if the caller names it.
    """

    code = "no_earlier_production"

    def __init__(self, model_id: str, candidates: Iterable[int] = ()) -> None:
        self.model_id = model_id
        self.candidates = tuple(candidates)
        retired = ", ".join(map(str, self.candidates))
        super().__init__(
            f"model {model_id!r} has no earlier production version to roll back to"
            + (
                f", except those that were retired: {retired}. The history says why; name the "
                "version to bring one of them back all the same"
                if retired
                else "; to take the present one out of service, move it to development or to "
                "archived, with a reason"
            )
        )

    def details(self) -> dict[str, Any]:
        return {"candidates": list(self.candidates)}


class OperationConflict(Conflict):
    """The operation id was already used, for another request."""

    code = "operation_conflict"

    def __init__(self, operation_id: str) -> None:
        super().__init__(
            f"operation id {operation_id!r} was already used for another request; "
            "use a new id for a new request, or repeat the first one unchanged"
        )
        self.operation_id = operation_id

    def details(self) -> dict[str, Any]:
        return {"operation_id": self.operation_id}


class LedgerBehind(Conflict):
    """The tenant's tree has fewer entries than the caller has seen in it: the caller's proof is of
    another registry, or this ledger was restored from an older backup."""

    code = "ledger_behind"

    def __init__(self, *, expected: int, actual: int) -> None:
        super().__init__(
            f"the tenant's tree has {actual} entries, but the earlier proof is of one with "
            f"{expected}: it is of another registry or tenant, or this ledger was restored from an "
            "older backup; compare the proof's key, and ask the operators"
        )
        self.expected = expected
        self.actual = actual

    def details(self) -> dict[str, Any]:
        return {"expected": self.expected, "actual": self.actual}


class AlreadyExists(Conflict):
    """The thing exists already, with other content."""

    code = "already_exists"


def _version(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
