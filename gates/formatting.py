"""Numbers and intervals in words, the same in sentences, tables and plots."""

from __future__ import annotations

import math


def amount(value: float | None) -> str:
    """A number with about four digits that matter; a dash for none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    digits = 4 if abs(value) < 1 else 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1
    text = f"{value:.{digits}f}" if abs(value) >= 0.001 else f"{value:.2g}"
    if "." in text and "e" not in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", "−") if "e" not in text else text


def interval(lower: float | None, upper: float | None) -> str:
    """``[lower, upper]``; an end that does not exist is infinite and open."""
    low, high = (
        -math.inf if lower is None else min(lower, upper if upper is not None else lower),
        math.inf if upper is None else max(upper, lower if lower is not None else upper),
    )
    return (
        f"{'(' if math.isinf(low) else '['}{amount(low)}, "
        f"{amount(high)}{')' if math.isinf(high) else ']'}"
    )


def count(number: int) -> str:
    """A count with thin spaces between thousands."""
    return f"{number:,}".replace(",", " ")


def plural(noun: str, number: int) -> str:
    return noun if number == 1 else f"{noun}s"
