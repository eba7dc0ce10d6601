"""Which arm of an A/B test a unit is in: the same everywhere, for ever, without a table.

``SHA-256("{salt}:{unit}")``; its first 8 bytes as an unsigned big-endian integer, divided by 2**64,
is the unit's position in [0, 1); below ``share`` is the challenger's. Any serving system can do
this in two lines. Another salt shuffles all units. Standard library only."""

from __future__ import annotations

import hashlib


def position(unit: str, salt: str) -> float:
    """The unit's position in [0, 1)."""
    digest = hashlib.sha256(f"{salt}:{unit}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def arm(unit: str, salt: str, share: float = 0.5) -> str:
    """``challenger`` for a ``share`` of all units, else ``champion``."""
    return "challenger" if position(unit, salt) < share else "champion"
