"""Every error of the registry, in one tree.

::

    RegistryError
    ├── InvalidInput                a value the caller can correct
    │   ├── InvalidName             tenant, model or version that does not match the naming rule
    │   ├── UnknownFramework        framework the registry does not support
    │   ├── UntrustedModel          payload holds types that are not on the reviewed list
    │   └── InvalidDataset          no rows, or columns that do not match the model's signature
    ├── NotFound                    also: it belongs to another tenant
    │   ├── ModelNotFound
    │   ├── VersionNotFound
    │   ├── ExperimentNotFound
    │   ├── RunNotFound
    │   ├── EvidenceNotFound
    │   └── ArtifactNotFound
    ├── Conflict                    somebody else was first; read again, then decide again
    │   ├── StaleModel              the model is no longer in the state the caller has seen
    │   ├── StaleProduction         production is no longer the version the caller expected
    │   ├── NoEarlierProduction     there is nothing to roll back to
    │   ├── OperationConflict       operation id already used for another request
    │   └── AlreadyExists           the thing is there, with other content
    ├── InvalidTransition           the stage table has no such edge
    ├── GateRefused                 the edge exists, its evidence does not
    ├── PermissionDenied            the actor's roles do not allow it
    ├── BundleCorrupt               files differ from the digest in the ledger
    ├── LedgerCorrupt               the hash chain is broken
    ├── BackendUnavailable          ledger, MLflow or artifact store does not answer; safe to repeat
    │   └── ChangeInProgress        another change of the same model has not ended in time
    └── FrameworkUnavailable        supported framework that is not installed here

Each class has a stable ``code`` for programs, and carries what it knows as fields, so that no
caller has to read a message. Messages say what was wrong, what is allowed, and what to do; they
never hold credentials, SQL or addresses with credentials.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from .evidence import Missing
    from .stages import Stage


class RegistryError(Exception):
    """Base of everything the registry raises on purpose.

    ``retryable`` is true where repeating the same call, with the same operation id, is safe and
    may succeed.
    """

    code: ClassVar[str] = "registry_error"
    retryable: ClassVar[bool] = False

    def details(self) -> dict[str, Any]:
        """The error's fields as plain JSON, for XCom, problem documents and logs."""
        return {}


class InvalidInput(RegistryError):
    """A value that the caller can correct. ``field`` names it."""

    code = "invalid_input"

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field

    def details(self) -> dict[str, Any]:
        return {"field": self.field}


class InvalidName(InvalidInput):
    """A tenant, model or version name that does not match its rule by full match."""

    code = "invalid_name"


class UnknownFramework(InvalidInput):
    """A framework that the registry does not support; ``supported`` lists those it does."""

    code = "unknown_framework"

    def __init__(self, framework: object, supported: Iterable[str]) -> None:
        self.framework = framework
        self.supported = tuple(supported)
        super().__init__(
            f"framework {framework!r} is not supported; use one of: {', '.join(self.supported)}",
            field="framework",
        )

    def details(self) -> dict[str, Any]:
        return {"field": self.field, "supported": list(self.supported)}


class UntrustedModel(InvalidInput):
    """A model payload that would need code or types nobody reviewed. Nothing was executed."""

    code = "untrusted_model"

    def __init__(self, message: str, *, types: Iterable[str] = ()) -> None:
        super().__init__(message, field="model")
        self.types = tuple(types)

    def details(self) -> dict[str, Any]:
        return {"field": self.field, "types": list(self.types)}


class InvalidDataset(InvalidInput):
    """A data set that cannot be judged: empty, or with columns unlike the model's signature."""

    code = "invalid_dataset"

    def __init__(self, message: str, *, field: str = "dataset") -> None:
        super().__init__(message, field=field)


class NotFound(RegistryError):
    """It does not exist for this tenant. Another tenant's thing is told in the same words."""

    code = "not_found"
    noun: ClassVar[str] = "object"

    def __init__(self, name: object, *, advice: str = "") -> None:
        super().__init__(f"{self.noun} {name!r} not found" + (f"; {advice}" if advice else ""))
        self.name = str(name)

    def details(self) -> dict[str, Any]:
        return {"name": self.name}


class ModelNotFound(NotFound):
    code = "model_not_found"
    noun = "model"


class VersionNotFound(NotFound):
    code = "version_not_found"
    noun = "version"

    def __init__(self, model_id: str, version: object, *, advice: str = "") -> None:
        super().__init__(f"{model_id}/{version}", advice=advice)
        self.model_id = model_id
        self.version = version


class ExperimentNotFound(NotFound):
    code = "experiment_not_found"
    noun = "experiment"


class RunNotFound(NotFound):
    code = "run_not_found"
    noun = "run"


class EvidenceNotFound(NotFound):
    code = "evidence_not_found"
    noun = "evidence"


class ArtifactNotFound(NotFound):
    code = "artifact_not_found"
    noun = "artifact"


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


class AlreadyExists(Conflict):
    """The thing exists already, with other content."""

    code = "already_exists"


class InvalidTransition(RegistryError):
    """The stage table has no such edge. Both ends are fields."""

    code = "invalid_transition"

    def __init__(self, source: Stage, target: Stage, *, advice: str) -> None:
        super().__init__(f"a version cannot go from {source} to {target}: {advice}")
        self.source = source
        self.target = target

    def details(self) -> dict[str, Any]:
        return {"from": str(self.source), "to": str(self.target)}


class GateRefused(RegistryError):
    """The edge exists, but what it requires is missing; ``missing`` says what, in words and
    codes."""

    code = "gate_refused"

    def __init__(self, version: int, target: Stage, missing: tuple[Missing, ...]) -> None:
        super().__init__(
            f"version {version} may not go to {target}: "
            + "; ".join(item.message for item in missing)
        )
        self.version = version
        self.target = target
        self.missing = missing

    def details(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "to": str(self.target),
            "missing": [item.document() for item in self.missing],
        }


class PermissionDenied(RegistryError):
    """The actor's roles do not allow the action."""

    code = "permission_denied"

    def __init__(self, actor: str, action: str, *, needed: Iterable[str]) -> None:
        self.actor = actor
        self.action = action
        self.needed = tuple(needed)
        super().__init__(f"{actor} may not {action}: it needs the role {' or '.join(self.needed)}")

    def details(self) -> dict[str, Any]:
        return {"action": self.action, "needed": list(self.needed)}


class BundleCorrupt(RegistryError):
    """The files of a version are not those that were registered. Nothing was changed."""

    code = "bundle_corrupt"

    def __init__(self, model_id: str, version: int, problem: str) -> None:
        super().__init__(
            f"the bundle of {model_id}/{version} is not what was registered: {problem}; "
            "restore the files from a backup, or choose another version"
        )
        self.model_id = model_id
        self.version = version
        self.problem = problem

    def details(self) -> dict[str, Any]:
        return {"version": self.version, "problem": self.problem}


class LedgerCorrupt(RegistryError):
    """The hash chain of a model is broken; ``sequence`` is the first entry that does not fit."""

    code = "ledger_corrupt"

    def __init__(self, model_id: str, sequence: int, problem: str) -> None:
        super().__init__(f"ledger of {model_id}: entry {sequence} {problem}")
        self.model_id = model_id
        self.sequence = sequence
        self.problem = problem

    def details(self) -> dict[str, Any]:
        return {"sequence": self.sequence, "problem": self.problem}


class BackendUnavailable(RegistryError):
    """A part behind the registry does not answer. Repeat the call, with its operation id."""

    code = "backend_unavailable"
    retryable = True

    def __init__(self, backend: str, problem: str) -> None:
        super().__init__(f"{backend} is not available: {problem}")
        self.backend = backend
        self.problem = problem

    def details(self) -> dict[str, Any]:
        return {"backend": self.backend}


class ChangeInProgress(BackendUnavailable):
    """Another change of the same thing is in progress, and did not end while this one waited."""

    code = "change_in_progress"

    def __init__(self, what: str) -> None:
        super().__init__("ledger", f"another change of {what} is in progress")
        self.args = (
            f"another change of {what} is in progress and has not ended in time; nothing was "
            "changed. Repeat the call with the same operation id",
        )
        self.what = what


class FrameworkUnavailable(RegistryError):
    """The framework is supported, but not installed here; the message has the install line."""

    code = "framework_unavailable"

    def __init__(self, framework: str, install: str) -> None:
        super().__init__(f"{framework} is not installed here; install it with: {install}")
        self.framework = framework
        self.install = install

    def details(self) -> dict[str, Any]:
        return {"framework": self.framework, "install": self.install}


def _version(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
