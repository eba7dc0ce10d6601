"""Errors about resources that do not exist for the tenant."""

from __future__ import annotations

from typing import Any, ClassVar

from .base import RegistryError


class NotFound(RegistryError):
    """It does not exist for this tenant. Another tenant's resource gets the same message."""

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
