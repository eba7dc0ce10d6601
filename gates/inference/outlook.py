"""The outlook of an undecided shadow test: what a verdict lacks, and its earliest date."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ..policy.label_maturity import block_length
from ..policy.promotion import ShadowPolicy
from ..report import DEMANDS, MetricRow


def outlook(
    policy: ShadowPolicy,
    rows: Sequence[MetricRow],
    looks: Sequence[dict[str, Any]],
    start: datetime,
) -> dict[str, Any]:
    """Dates (ISO, UTC), as far as they can be known from the traffic so far: ``earliest``, before
    which the policy allows no verdict; ``likely``, when a verdict is reached if estimate and spread
    stay as they are; ``ends``, when a test of live traffic is over. ``looks`` are those of the
    report, ``start`` is the begin of the window."""
    ends = start + policy.longest
    known = [look["points"] for look in looks if look["points"]]
    if not known:
        return {"earliest": None, "likely": None, "ends": ends.isoformat()}
    length = block_length(policy.block)
    earliest, likely = start, start
    for points in known:
        earliest = max(earliest, _earliest(policy, points, length))
    for row in rows:
        if row.kind in DEMANDS and row.forecast is not None and policy.unit == "block":
            first = min(_begin(points[0]["block"]) for points in known)
            likely = max(likely, first + min(row.forecast, _FAR) * length)
    horizon = timedelta(hours=policy.label_horizon_hours)
    return {
        "earliest": (earliest + horizon).isoformat(),
        "likely": (max(likely, earliest) + horizon).isoformat() if likely > start else None,
        "ends": ends.isoformat(),
    }


#: Dates further away than this many blocks are not reported.
_FAR = 100_000


def _earliest(
    policy: ShadowPolicy, points: Sequence[dict[str, Any]], length: timedelta
) -> datetime:
    """The end of the block that meets the policy's minimums, if traffic goes on as it is."""
    first, last = _begin(points[0]["block"]), points[-1]
    allowed = next((point for point in points if not point["too_little"]), None)
    if allowed is not None:
        return _begin(allowed["block"]) + length
    elapsed = _begin(last["block"]) + length - first
    blocks = elapsed / length
    more = max(
        policy.min_blocks / last["effective"],
        policy.min_requests / last["requests"],
        timedelta(hours=policy.min_duration_hours) / elapsed,
    )
    blocks_needed: int = min(math.ceil(blocks * more - 1e-9), _FAR)
    return first + blocks_needed * length


def _begin(block: str) -> datetime:
    return datetime.fromisoformat(block).replace(tzinfo=UTC)
