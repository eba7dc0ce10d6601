"""Version numbers as templates give them."""

from __future__ import annotations

from typing import Any

from model_lifecycle.registry.domain.identifiers import parse_version
from model_lifecycle.registry.domain.preconditions import ANY, ExpectedProduction

#: ``expected_production`` of a caller who does not mind which version is in production.
ANYTHING = "any"


def optional_version(value: Any) -> int | None:
    """A version number or none: ``None``, ``"None"`` and empty text mean none.

    Raises :class:`InvalidName` for anything else that is no version number.
    """
    if value is None or (isinstance(value, str) and value.strip() in ("", "None")):
        return None
    return parse_version(value)


def expected_production(value: Any) -> ExpectedProduction:
    """The required production version: a number, None, or ``any``. Raises InvalidName."""
    return ANY if value == ANYTHING else optional_version(value)
