"""Requirements that a version does not meet for a stage yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .enums import Gate


@dataclass(frozen=True)
class Missing:
    """One thing that stands between a version and a stage, in a code and in words."""

    code: str
    message: str
    gate: Gate | None = None

    def document(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "gate": self.gate.value if self.gate else None,
            "message": self.message,
        }
