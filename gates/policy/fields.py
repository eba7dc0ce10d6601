"""Checks of single policy values; each raises :class:`InvalidInput` and names the field."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from model_lifecycle.registry.domain.errors import InvalidInput


def validate_float(
    value: Any,
    field: str,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> None:
    """``value`` is a finite number within the bounds."""
    stated: list[str] = []
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if above is not None:
        stated.append(f"above {above:g}")
        good = good and value > above
    if at_least is not None:
        stated.append(f"at least {at_least:g}")
        good = good and value >= at_least
    if below is not None:
        stated.append(f"below {below:g}")
        good = good and value < below
    if at_most is not None:
        stated.append(f"at most {at_most:g}")
        good = good and value <= at_most
    if not good:
        limits = f" {' and '.join(stated)}" if stated else ""
        raise InvalidInput(
            f"{field} must be a finite number{limits}, not {value!r:.80}", field=field
        )


def validate_int(value: Any, field: str, *, at_least: int) -> None:
    """``value`` is an integer of at least ``at_least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise InvalidInput(
            f"{field} must be an integer of at least {at_least}, not {value!r:.80}", field=field
        )


def validate_bool(value: Any, field: str) -> None:
    """``value`` is true or false."""
    if not isinstance(value, bool):
        raise InvalidInput(f"{field} must be true or false, not {value!r:.80}", field=field)


def validate_label(value: Any, field: str) -> None:
    """``value`` is a label, text or a finite number, or None."""
    good = value is None or isinstance(value, str | int | float)
    if not good or (isinstance(value, float) and not math.isfinite(value)):
        raise InvalidInput(
            f"{field} must be a label, text or a number, not {value!r:.80}", field=field
        )


def validate_choice(value: Any, choices: Sequence[str], field: str) -> None:
    """``value`` is one of ``choices``."""
    if not isinstance(value, str) or value not in choices:
        raise InvalidInput(
            f"{field} must be one of {', '.join(choices)}, not {value!r:.80}", field=field
        )


def validate_column(value: Any, field: str) -> None:
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
