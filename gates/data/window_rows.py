"""Rows of a table of requests that lie in a window of time, to the microsecond."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def rows_in_window(
    table: pa.Table,
    hour: datetime,
    window: tuple[datetime | None, datetime | None],
    counts: Counter[str],
) -> pa.Table:
    """The rows with an id and a time in ``[start, end)``; None is no limit. ``requested_at`` is in
    microseconds, UTC. Rows that are left out are counted by what they lack; rows filed under
    ``hour`` that are of another hour are counted and stay."""
    from pyarrow import compute

    for column, name in (("request_id", "without_id"), ("requested_at", "without_time")):
        missing = table.column(column).null_count
        if missing:
            counts[name] += missing
            table = table.filter(compute.is_valid(table.column(column)))
    if not table.num_rows:
        return table
    at = table.column("requested_at")
    counts["of_other_hours"] += _outside(at, hour, hour + timedelta(hours=1))
    start, end = window
    if start is None or end is None:
        return table
    outside = _outside(at, start, end)
    if outside:
        counts["outside_window"] += outside
        table = table.filter(_within(at, start, end))
    return table


def _within(at: pa.ChunkedArray, start: datetime, end: datetime) -> pa.ChunkedArray:
    import pyarrow as pa
    from pyarrow import compute

    return compute.and_(
        compute.greater_equal(at, pa.scalar(start, at.type)),
        compute.less(at, pa.scalar(end, at.type)),
    )


def _outside(at: pa.ChunkedArray, start: datetime, end: datetime) -> int:
    from pyarrow import compute

    return len(at) - int(compute.sum(_within(at, start, end)).as_py())
