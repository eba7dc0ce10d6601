"""Values that the caller can correct."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .base import RegistryError


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
    """A model payload that needs code or types that are not reviewed. Nothing was executed."""

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
