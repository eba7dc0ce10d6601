"""MLflow's milliseconds since 1970 and our datetimes in UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now_millis() -> int:
    return time.time_ns() // 1_000_000


def when(millis: int | None) -> datetime | None:
    """The instant, or None where MLflow has none."""
    return None if millis is None else instant(millis)


def instant(millis: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=millis)
