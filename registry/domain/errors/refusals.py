"""Errors about requests that the rules do not allow: a stage, a verdict, a role."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .base import RegistryError

if TYPE_CHECKING:
    from ..enums import Stage
    from ..missing_requirement import Missing


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


class UntrustedEvidence(RegistryError):
    """The model's policy lists trusted keys, and none of them signed the evidence. Nothing was
    recorded."""

    code = "untrusted_evidence"

    def __init__(self, evidence_id: str, reason: str) -> None:
        super().__init__(
            f"evidence {evidence_id!r} {reason}; nothing was recorded. Configure the gate's key "
            "(MODEL_LIFECYCLE_GATE_KEY), or add its public half to the policy's trusted_keys"
        )
        self.evidence_id = evidence_id
        self.reason = reason

    def details(self) -> dict[str, Any]:
        return {"evidence_id": self.evidence_id, "reason": self.reason}


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
