"""Commands: what each write means, as a frozen object.

The fingerprint of a command is computed from all of its fields, so that a field that is added
later is part of it at once. An operation id that comes with another fingerprint is a conflict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from enum import Enum
from typing import Any

from .authorization import Principal
from .canonical_json import digest
from .evidence import Evidence
from .identifiers import ModelId, TenantId
from .preconditions import Epochs, ExpectedProduction
from .promotion_policy import PromotionPolicy
from .stages import Stage


@dataclass(frozen=True, kw_only=True)
class Command:
    """A write on one model of a tenant. The roles of ``actor`` are no part of what is requested."""

    actor: Principal
    tenant_id: TenantId
    model_id: ModelId

    def fingerprint(self) -> str:
        """SHA-256 of the command's name and all of its fields. A field that was added later has a
        default, and is left out where it has that value: the fingerprint of a request that an
        older program began stays the same.

        Raises :class:`InvalidInput` where a field holds what is not plain JSON.
        """
        arguments = {
            item.name: _plain(getattr(self, item.name))
            for item in fields(self)
            if item.default is MISSING or getattr(self, item.name) != item.default
        }
        return digest({"command": type(self).__name__, **arguments}, field="arguments")


@dataclass(frozen=True, kw_only=True)
class MoveStage(Command):
    version: int
    target: Stage
    reason: str
    expected_production: ExpectedProduction
    expected_epoch: Epochs
    force: bool
    without_verification: bool = False


@dataclass(frozen=True, kw_only=True)
class RollBack(Command):
    """``to_version`` is None for the newest version that a rollback may choose by itself."""

    to_version: int | None
    reason: str
    expected_production: ExpectedProduction
    expected_epoch: Epochs
    without_verification: bool = False


@dataclass(frozen=True, kw_only=True)
class DeleteVersions(Command):
    """``version`` is None for all versions of the model."""

    version: int | None
    reason: str
    expected_epoch: Epochs


@dataclass(frozen=True, kw_only=True)
class EraseVersion(Command):
    version: int
    reason: str
    expected_epoch: Epochs


@dataclass(frozen=True, kw_only=True)
class SetPolicy(Command):
    policy: PromotionPolicy
    reason: str
    expected_epoch: Epochs


@dataclass(frozen=True, kw_only=True)
class RecordEvidence(Command):
    """``evidence`` is bound to the version that it is recorded for."""

    evidence: Evidence


@dataclass(frozen=True, kw_only=True)
class RegisterVersion(Command):
    """``plan`` is the registration's plan without its time. A fitted object is known by
    ``model_class``, as its bytes differ from save to save; ``training_log`` by its digest."""

    plan: Mapping[str, Any]
    model_class: str | None
    run_id: str | None
    training_log: str | None


@dataclass(frozen=True, kw_only=True)
class AdoptVersion(Command):
    version: int


@dataclass(frozen=True, kw_only=True)
class LogModel(Command):
    """The result of a training, as :class:`RegisterVersion` has it."""

    plan: Mapping[str, Any]
    model_class: str
    training_log: str | None


#: The commands that change what the ledger has of a model, at an epoch that the caller may expect.
ModelWrite = MoveStage | RollBack | DeleteVersions | EraseVersion | SetPolicy


def class_name(value: Any) -> str:
    """The full name of the class of ``value``."""
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def _plain(value: Any) -> Any:
    """``value`` as JSON in which different values stay different."""
    match value:
        case Principal():
            return {"name": value.name, "on_behalf_of": value.on_behalf_of}
        case PromotionPolicy():
            return value.document()
        case Evidence():
            return value.content()
        case Enum():
            return {"enum": str(value.value)}
        case frozenset():
            return {"one of": sorted(value)}
        case Mapping():
            return dict(value)
        case _:
            return value
