"""Up to when live traffic can be judged. Standard library only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def labels_complete_until(at: datetime, horizon_hours: float, block: str) -> datetime:
    """The end of the last complete ``hour`` or ``day`` (UTC) of which, at ``at``, all labels had
    ``horizon_hours`` to come. A part of a block is no look: it would be counted as one unit, and
    counted again when it has grown."""
    old = at.astimezone(UTC) - timedelta(hours=horizon_hours)
    boundary = old.replace(minute=0, second=0, microsecond=0)
    return boundary.replace(hour=0) if block == "day" else boundary


def next_block(at: datetime, block: str) -> datetime:
    """The begin of the first ``hour`` or ``day`` (UTC) that lies wholly after ``at``."""
    begun = labels_complete_until(at, 0, block)
    return begun if begun == at.astimezone(UTC) else begun + block_length(block)


def next_matured(until: datetime, horizon_hours: float, block: str) -> datetime:
    """When the ``hour`` or ``day`` after ``until``, the end of a block, can be judged."""
    return until + block_length(block) + timedelta(hours=horizon_hours)


def block_length(block: str) -> timedelta:
    """How long an ``hour`` or ``day`` is."""
    return timedelta(days=1) if block == "day" else timedelta(hours=1)
