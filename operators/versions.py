"""Version numbers as templates give them."""

from __future__ import annotations

from typing import Any

from model_lifecycle.registry.rules.tenancy import parse_version


def optional_version(value: Any) -> int | None:
    """A version number or none: ``None``, ``"None"`` and empty text mean none.

    Raises :class:`InvalidName` for anything else that is no version number.
    """
    if value is None or (isinstance(value, str) and value.strip() in ("", "None")):
        return None
    return parse_version(value)
