"""Policies of short shadow tests, since the default asks for two weeks of traffic."""

from __future__ import annotations

from typing import Any

from model_lifecycle.gates.policy.promotion import ShadowPolicy


def hourly(**values: Any) -> ShadowPolicy:
    """A policy that judges hours and may decide before a week is over."""
    values = {"block": "hour", "min_duration_hours": 0, **values}
    if values["block"] == "hour":
        values.setdefault("expected_blocks", 100)
    return ShadowPolicy(**values)
