"""MLflow's milliseconds since 1970 and our datetimes in UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now_millis() -> int:
    return time.time_ns() // 1_000_000


def when(at: int | None) -> datetime | None:
    """The instant, from milliseconds, or None where MLflow has none."""
    return None if at is None else instant(at)


def millis(at: datetime) -> int:
    """Milliseconds since 1970, as MLflow keeps instants."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def instant(at: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at)
