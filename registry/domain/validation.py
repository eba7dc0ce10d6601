"""Validation of callers' values: finite numbers, and texts that every store can keep."""

from __future__ import annotations

import math
import posixpath
import re
import sys
from collections.abc import Mapping
from typing import Any

from .errors import InvalidInput
from .plain_values import plain_text

MAX_TEXT = 5000
#: Names in one mapping of metrics, parameters or tags.
MAX_NAMES = 10_000
#: What MLflow takes as the name of a metric, parameter or tag.
_NAME = re.compile(r"[\w./ :-]{1,250}")
_SURROGATE = re.compile("[\ud800-\udfff]")


def finite_metrics(metrics: Mapping[str, Any], *, field: str = "metrics") -> dict[str, float]:
    """``metrics`` as finite floats. Raises :class:`InvalidInput`, naming the metric, for NaN,
    infinity and everything that is not a number."""
    checked: dict[str, float] = {}
    for name, value in _named(metrics, field).items():
        number = _number(value)
        if number is None:
            raise InvalidInput(
                f"{field}[{name!r}] must be a finite number, not {value!r:.80}",
                field=f"{field}.{name}",
            )
        checked[name] = number
    return checked


def stored_metrics(metrics: Mapping[str, float]) -> tuple[dict[str, float], dict[str, str]]:
    """Metrics that a run in MLflow holds, and apart from them those that are no finite number, as
    text.

    A fold with one class logs NaN: that is a fact about the run, not a mistake in its
    registration. MLflow's database keeps infinity as the largest float.
    """
    finite, others = {}, {}
    for name, value in metrics.items():
        if math.isfinite(value) and abs(value) < sys.float_info.max:
            finite[name] = float(value)
        else:
            others[name] = "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return finite, others


def text_map(values: Mapping[str, Any], *, field: str) -> dict[str, str]:
    """``values`` as text to text, the form in which MLflow keeps parameters and tags: plain
    values, whichever library they are of. Raises :class:`InvalidInput`, naming the value."""
    return {
        name: validate_text(plain_text(value), field=f"{field}.{name}")
        for name, value in _named(values, field).items()
    }


def validate_text(value: Any, *, field: str, longest: int = MAX_TEXT) -> str:
    """``value`` if it is text that every store can keep: PostgreSQL takes no NUL, UTF-8 no half of
    a surrogate pair. Raises :class:`InvalidInput`."""
    if (
        isinstance(value, str)
        and len(value) <= longest
        and "\0" not in value
        and not _SURROGATE.search(value)
    ):
        return value
    raise InvalidInput(
        f"{field} must be text of at most {longest} characters without NUL, not {value!r:.80}",
        field=field,
    )


def require_reason(reason: str, what: str) -> None:
    """Raise :class:`InvalidInput` unless ``reason`` says why ``what`` is done."""
    if not validate_text(reason, field="reason").strip():
        raise InvalidInput(f"{what} needs a reason; it is kept in the ledger", field="reason")


def _named(values: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise InvalidInput(f"{field} must map names to values", field=field)
    if len(values) > MAX_NAMES:
        raise InvalidInput(
            f"{field} has {len(values)} names, at most {MAX_NAMES} are kept; log long series with "
            "log_training_metrics, and keep tables as files of the run",
            field=field,
        )
    for name in values:
        if not _is_name(name):
            raise InvalidInput(
                f"{field} has the name {name!r:.80}, which MLflow does not take: use 1 to 250 "
                "letters, digits, spaces, '_', '-', '.', ':', and '/' between parts",
                field=field,
            )
    return values


def _is_name(name: Any) -> bool:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return False
    return posixpath.normpath(name) == name and not name.startswith(("/", ".."))


def _number(value: Any) -> float | None:
    if isinstance(value, bool | str | bytes):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
