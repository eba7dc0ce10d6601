"""Errors about backends and packages that the registry needs and cannot reach."""

from __future__ import annotations

from typing import Any

from .base import RegistryError


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


class SchemaMismatch(BackendUnavailable):
    """The ledger's tables are of another version of the program than this process. Nothing was
    changed; the call succeeds once the upgrade is complete, on the side that is behind."""

    code = "schema_mismatch"

    def __init__(self, problem: str, *, program: str, ledger: str | None = None) -> None:
        super().__init__("ledger", problem)
        self.program = program
        self.ledger = ledger

    def details(self) -> dict[str, Any]:
        return {**super().details(), "program": self.program, "ledger": self.ledger}


class FrameworkUnavailable(RegistryError):
    """The framework is supported, but not installed here; the message has the install line."""

    code = "framework_unavailable"

    def __init__(self, framework: str, install: str) -> None:
        super().__init__(f"{framework} is not installed here; install it with: {install}")
        self.framework = framework
        self.install = install

    def details(self) -> dict[str, Any]:
        return {"framework": self.framework, "install": self.install}


class SigningUnavailable(RegistryError):
    """The signing key is not configured here; ``setting`` names the key that is needed."""

    code = "signing_unavailable"

    def __init__(self, setting: str, advice: str) -> None:
        super().__init__(f"nothing signs here: the setting {setting} names no key; {advice}")
        self.setting = setting

    def details(self) -> dict[str, Any]:
        return {"setting": self.setting}
