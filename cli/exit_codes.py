"""Exit codes of the command line. Scripts rely on these numbers: they never change."""

from __future__ import annotations

from enum import IntEnum

from model_lifecycle.registry.domain import errors


class ExitCode(IntEnum):
    DONE = 0
    UNEXPECTED = 1
    BAD_INPUT = 2
    NOT_FOUND = 3
    REFUSED = 4
    CONFLICT = 5
    PERMISSION_DENIED = 6
    UNAVAILABLE = 7
    DAMAGE = 8

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.UNEXPECTED: "unexpected: a mistake in this program; or a person declined",
    ExitCode.BAD_INPUT: "bad input or usage; also a registry that is not there",
    ExitCode.NOT_FOUND: "not found: the tenant has no such model or version",
    ExitCode.REFUSED: "refused by a gate, or no such transition; `readiness`: not ready",
    ExitCode.CONFLICT: "conflict: somebody else was first; read again, then decide again",
    ExitCode.PERMISSION_DENIED: "permission denied",
    ExitCode.UNAVAILABLE: "a backend does not answer; repeat with the same operation id",
    ExitCode.DAMAGE: "damage: ledger, bundle or proof altered, or `reconcile` could not heal",
}

#: From the error tree's branches; an error has the code of its nearest ancestor here.
_OF_ERRORS: dict[type[errors.RegistryError], ExitCode] = {
    errors.InvalidInput: ExitCode.BAD_INPUT,
    errors.NotFound: ExitCode.NOT_FOUND,
    errors.Conflict: ExitCode.CONFLICT,
    errors.InvalidTransition: ExitCode.REFUSED,
    errors.GateRefused: ExitCode.REFUSED,
    errors.UntrustedEvidence: ExitCode.REFUSED,
    errors.PermissionDenied: ExitCode.PERMISSION_DENIED,
    errors.BackendUnavailable: ExitCode.UNAVAILABLE,
    errors.BundleCorrupt: ExitCode.DAMAGE,
    errors.LedgerCorrupt: ExitCode.DAMAGE,
    errors.ProofRefused: ExitCode.DAMAGE,
    errors.FrameworkUnavailable: ExitCode.BAD_INPUT,
    errors.SigningUnavailable: ExitCode.BAD_INPUT,
}


def exit_code(error: errors.RegistryError) -> ExitCode:
    """The exit code of an error of the registry."""
    for kind in type(error).__mro__:
        if kind in _OF_ERRORS:
            return _OF_ERRORS[kind]
    return ExitCode.UNEXPECTED


def legend() -> str:
    """All exit codes with their meaning, one a line."""
    return "\n".join(f"{code:>3}  {code.meaning}" for code in ExitCode)
