"""The time of a ledger: the database's, not the caller's.

PostgreSQL has a clock of its own, and all that is decided or recorded goes by it. An embedded
ledger has none: of the caller's clock and the machine's, records take the earlier one and
decisions the later one, so that a clock that is set wrong, ahead or behind, makes no evidence
count for longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..domain.evidence import CLOCK_TOLERANCE


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class ClockReading:
    """The time in one transaction: what is recorded is dated ``now``, and what has to be fresh is
    judged at ``deadline``. ``skew`` is how far the caller's clock is ahead of the ledger's."""

    now: datetime
    deadline: datetime
    skew: timedelta

    def warning(self, newest: datetime | None = None) -> str | None:
        """A warning about the caller's clock or the ledger's ``newest`` time, if implausible."""
        if abs(self.skew) > CLOCK_TOLERANCE:
            side = "ahead of" if self.skew > timedelta(0) else "behind"
            return (
                f"this process's clock is {_length(abs(self.skew))} {side} the ledger's, which "
                "decides; set the clock"
            )
        if newest is not None and newest > self.deadline + CLOCK_TOLERANCE:
            return (
                f"the ledger's newest entry is dated {_length(newest - self.deadline)} after now; "
                "the clock of the machine that wrote it was wrong, or this one is; set the clock"
            )
        return None


class LedgerClock:
    """The clock of one open ledger. ``caller`` is the clock of the process that uses it."""

    def __init__(self, caller: Callable[[], datetime] = utc_now) -> None:
        self._caller = caller
        self._server: tuple[datetime, float] | None = None

    def observe(self, server_time: datetime) -> None:
        """Note what the database's clock shows at this moment."""
        self._server = server_time, time.monotonic()

    def read(self) -> ClockReading:
        """The time now: the database's last reading and what has passed since."""
        caller = self._caller()
        if self._server is not None:
            noted, at = self._server
            now = noted + timedelta(seconds=time.monotonic() - at)
            return ClockReading(now, now, caller - now)
        machine = utc_now()
        return ClockReading(min(caller, machine), max(caller, machine), caller - machine)

    def now(self) -> datetime:
        """The time with which something is recorded now."""
        return self.read().now


def _length(duration: timedelta) -> str:
    seconds = duration.total_seconds()
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
