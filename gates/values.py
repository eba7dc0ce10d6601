"""Checks of single policy values; each raises :class:`InvalidInput` and names the field."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from model_lifecycle.registry.rules.errors import InvalidInput


def number(
    value: Any,
    field: str,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> None:
    """``value`` is a finite number within the bounds."""
    bounds = [
        (above, "above", lambda bound: value > bound),
        (at_least, "at least", lambda bound: value >= bound),
        (below, "below", lambda bound: value < bound),
        (at_most, "at most", lambda bound: value <= bound),
    ]
    stated = [(bound, word, holds) for bound, word, holds in bounds if bound is not None]
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not all(holds(bound) for bound, _, holds in stated)
    ):
        limits = " and ".join(f"{word} {bound:g}" for bound, word, _ in stated)
        raise InvalidInput(
            f"{field} must be a finite number{' ' + limits if limits else ''}, not {value!r:.80}",
            field=field,
        )


def whole(value: Any, field: str, *, at_least: int) -> None:
    """``value`` is a whole number from ``at_least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise InvalidInput(
            f"{field} must be a whole number from {at_least}, not {value!r:.80}", field=field
        )


def choice(value: Any, choices: Sequence[str], field: str) -> None:
    """``value`` is one of ``choices``."""
    if not isinstance(value, str) or value not in choices:
        raise InvalidInput(
            f"{field} must be one of {', '.join(choices)}, not {value!r:.80}", field=field
        )


def column(value: Any, field: str) -> None:
    """``value`` is the name of a column."""
    if not isinstance(value, str) or not value or len(value) > 200 or not value.isprintable():
        raise InvalidInput(f"{field} must name a column, not {value!r:.80}", field=field)


def no_unknown_fields(cls: type, document: Any, where: str) -> dict[str, Any]:
    """``document`` as arguments of the dataclass ``cls``."""
    if not isinstance(document, Mapping):
        raise InvalidInput(f"{where} must be an object, not {document!r:.80}", field=where)
    known = [item.name for item in fields(cls)]
    unknown = [name for name in document if name not in known]
    if unknown:
        raise InvalidInput(
            f"{where} has no field {unknown[0]!r:.80}; its fields are {', '.join(known)}",
            field=where,
        )
    return dict(document)
