"""The state of one outcome in one arm at an interim analysis: sums over units, and how they could
mislead (units without the outcome, units that weigh more than all others)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..policy.promotion import OutcomeDemand
from ..statistics.exact import ExactSum

Floats = NDArray[np.float64]

#: Outcomes are counted in parts of this size, integer multiples of which add without rounding.

PARTS = 1 << 20


def missing_column(name: str) -> str:
    """The column that counts a unit's requests without the outcome ``name``."""
    return f"missing of {name}"


def smallest_column(name: str) -> str:
    """The column with a unit's smallest value of the outcome ``name`` in one request."""
    return f"smallest of {name}"


def largest_column(name: str) -> str:
    """The column with a unit's largest value of the outcome ``name`` in one request."""
    return f"largest of {name}"


@dataclass(frozen=True)
class Range:
    """Between which values one request's outcome lies in both arms, 0 included: what one without
    an outcome may have had."""

    low: float
    high: float

    @classmethod
    def of(cls, units: pd.DataFrame, name: str) -> Range:
        smallest, largest = smallest_column(name), largest_column(name)
        if not len(units) or smallest not in units.columns:
            return cls(0.0, 0.0)
        low, high = units[smallest].min() / PARTS, units[largest].max() / PARTS
        return cls(min(0.0, float(low)), max(0.0, float(high)))


def outcome_sums(
    item: OutcomeDemand, units: pd.DataFrame, every: pd.DataFrame, *, favour: bool
) -> dict[str, Any]:
    """Sums of the arm ``units`` over its units; ``every`` holds both arms. Where outcomes are
    missing, ``worst`` holds the sums with the missing ones as they would be best for the arm if
    ``favour``, else worst."""
    x, y = _values(item, units, 0.0, 0.0)
    sums = {**_sums(x, y), "weights": _weights(item, x, y)}
    missing = _missing(item, units)
    if not missing.any():
        return sums
    sums["missing"] = {
        "units": int((missing > 0).sum()),
        "requests": int(missing.sum()),
    }
    if item.missing != "zero":
        high = item.higher_is_better == favour
        above = Range.of(every, item.column)
        below = Range(0.0, 0.0) if item.per is None else Range.of(every, item.per)
        filled = _values(
            item,
            units,
            above.high if high else above.low,
            below.low if high else below.high,
        )
        sums["worst"] = _sums(*filled)
    return sums


def _values(
    item: OutcomeDemand, units: pd.DataFrame, fill: float, fill_per: float
) -> tuple[Floats, Floats | None]:
    """Each unit's outcome, and what it is divided by; ``fill`` stands for each missing one."""
    x = units[item.column].to_numpy(dtype=float) / PARTS
    lacks = _count(units, item.column)
    if item.kind == "proportion":
        return ((x > 0) | ((lacks > 0) & (fill > 0))).astype(float), None
    x = x + lacks * fill
    if item.bound is not None:
        x = np.clip(x, -item.bound, item.bound)
    if item.per is None:
        return x, None
    return x, units[item.per].to_numpy(dtype=float) / PARTS + _count(units, item.per) * fill_per


def _missing(item: OutcomeDemand, units: pd.DataFrame) -> NDArray[np.int64]:
    """Each unit's requests that lack the outcome, or what it is divided by."""
    lacks = _count(units, item.column)
    return lacks if item.per is None else np.maximum(lacks, _count(units, item.per))


def _count(units: pd.DataFrame, name: str) -> NDArray[np.int64]:
    column = missing_column(name)
    if column not in units.columns:
        return np.zeros(len(units), dtype=np.int64)
    return np.asarray(units[column].to_numpy(dtype=np.int64))


def _sums(x: Floats, y: Floats | None) -> dict[str, str]:
    sums = {"total": _text(x), "squares": _text(x * x)}
    if y is not None:
        sums |= {"per": _text(y), "per_squares": _text(y * y), "product": _text(x * y)}
    return sums


def _weights(item: OutcomeDemand, x: Floats, y: Floats | None) -> dict[str, float]:
    """``share``: the largest unit's part of the total; ``spread``: its part of the variance;
    ``largest`` and ``smallest`` values; ``nonzero``: units with the outcome."""
    if not x.size:
        return {}
    weights = {"nonzero": float((x != 0).sum())}
    if item.kind == "proportion":
        return weights
    shares = [_largest_part(np.abs(values)) for values in (x, y) if values is not None]
    ratio = 0.0 if y is None or not y.sum() else float(x.sum() / y.sum())
    residuals = x - x.mean() if y is None else x - ratio * y
    return {
        **weights,
        "share": max(shares),
        "spread": _largest_part(residuals * residuals),
        "largest": float(x.max()),
        "smallest": float(x.min()),
    }


def _largest_part(values: Floats) -> float:
    total = float(values.sum())
    return float(values.max()) / total if total else 0.0


def _text(values: Floats) -> str:
    return ExactSum.of(values).text()
