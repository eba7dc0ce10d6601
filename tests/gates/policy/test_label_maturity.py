"""When a block of live traffic can be judged: when it is whole, and all its labels had time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from model_lifecycle.gates.policy.label_maturity import labels_complete_until, next_matured

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("block", "horizon_hours", "expected"),
    [
        ("hour", 0, "2013-07-04T11:00"),
        ("hour", 0.75, "2013-07-04T10:00"),
        ("hour", 24, "2013-07-03T11:00"),
        ("day", 0, "2013-07-04T00:00"),
        ("day", 12, "2013-07-03T00:00"),
    ],
)
def test_only_complete_blocks_with_their_labels_count(
    block: str, horizon_hours: float, expected: str
) -> None:
    """At half past eleven the eleventh hour is no look yet."""
    at = datetime(2013, 7, 4, 11, 30, tzinfo=UTC)

    assert labels_complete_until(at, horizon_hours, block) == datetime.fromisoformat(
        f"{expected}+00:00"
    )


@pytest.mark.parametrize("block", ["hour", "day"])
@pytest.mark.parametrize("horizon_hours", [0, 0.5, 30, 72])
def test_whoever_sleeps_until_the_next_block_finds_it(block: str, horizon_hours: float) -> None:
    """Not a second earlier, and at that second."""
    until = labels_complete_until(datetime(2013, 7, 4, 11, 30, tzinfo=UTC), horizon_hours, block)
    then = next_matured(until, horizon_hours, block)

    assert labels_complete_until(then - SECOND, horizon_hours, block) == until
    assert labels_complete_until(then, horizon_hours, block) > until
