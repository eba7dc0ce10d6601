"""Formats of single values: timestamps, versions, moves, numbers, verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.models import StageMove

from ..output import line

_COLOURS = {
    Verdict.PASS.value: "green",
    Verdict.FAIL.value: "red",
    Verdict.INCONCLUSIVE.value: "yellow",
    Verdict.INVALID.value: "red",
}
_LONG_NAME = 30
#: From here on what comes after the point says nothing.
_WHOLE = 1000


def format_timestamp(at: datetime | None) -> str:
    """To the minute, in UTC; columns and labels say so. JSON has the microseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if at else ""


def version_name(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"


def move(step: StageMove) -> str:
    return f"{step.source or 'new'} → {step.target}"


def numbers(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in sorted(values.items()))


def format_actor(actor: str) -> str:
    """An actor in a narrow column: an Airflow task is named for its DAG and its run."""
    return actor.replace("/", "/\n", 1) if len(actor) > _LONG_NAME else actor


def pairs(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in sorted(values.items()))


def verdict(value: str) -> Text:
    return line(value, _COLOURS.get(value, ""))


def lines(parts: Iterable[str]) -> str:
    return "\n".join(part for part in parts if part)


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= _WHOLE else f"{value:.4g}"
