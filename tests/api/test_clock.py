"""A process whose clock is wrong says so in its health."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.http import Tenant

from model_lifecycle.api.health import Health
from model_lifecycle.api.lifespan import OpenRegistry
from model_lifecycle.registry.ledger.clock import LedgerClock, utc_now
from model_lifecycle.registry.settings import Settings


@pytest.mark.parametrize(
    ("ahead", "warning"),
    [
        (timedelta(days=365), "365 days ahead of"),
        (timedelta(minutes=-3), "3 minutes behind"),
        (timedelta(seconds=59), None),
    ],
    ids=["a year ahead", "minutes behind", "within a minute"],
)
async def test_a_clock_more_than_a_minute_off_is_a_warning(
    api_settings: Settings, tenants: list[Tenant], ahead: timedelta, warning: str | None
) -> None:
    """The process stays ready: its clock moves nothing in the ledger."""
    opened = OpenRegistry(lambda: api_settings)
    await opened.start()
    registry = await opened.registry()
    registry._stores.ledger._time = LedgerClock(lambda: utc_now() + ahead)
    health = Health(opened)
    parts = await health.parts()
    warnings = health.warnings()
    await opened.close()

    assert parts["ledger"] is None
    assert len(warnings) == (0 if warning is None else 1)
    assert warning is None or warning in warnings[0]
