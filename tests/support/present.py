"""Values that may be missing elsewhere, and have to be there in a test."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """``value``. Raises AssertionError if it is None."""
    assert value is not None
    return value
