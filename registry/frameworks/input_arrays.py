"""Columns as arrays of the type that a model's input has, with no value changed on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.errors import InvalidDataset

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def input_array(frame: pd.DataFrame, element: str) -> np.ndarray:
    """The frame's columns as one matrix ``(rows, columns)`` of numpy's type ``element``.

    Fractions are rounded to the precision of a float type, as everywhere. Whole numbers are not:
    single precision holds each one up to 2^24 only, and an id beyond would become its neighbour.
    Raises :class:`InvalidDataset`, naming column and value, for a value that the type cannot hold.
    """
    import numpy as np

    target = np.dtype(element)
    missing: dict[str, Any] = {"na_value": np.nan} if target.kind == "f" else {}
    try:
        # Writable, since torch warns of tensors on memory that it may not write to.
        with np.errstate(all="ignore"):  # what does not fit is named below
            array: np.ndarray = np.require(
                frame.to_numpy(dtype=target, **missing), requirements=["C", "W"]
            )
    except OverflowError as error:
        raise InvalidDataset(f"the model takes {target} values: {error}") from error
    except (ValueError, TypeError) as error:
        _require_integers(frame, target)
        raise InvalidDataset(f"the model takes numbers only: {error}") from error
    _require_integers(frame, target)
    return array


def _require_integers(frame: pd.DataFrame, target: np.dtype[Any]) -> None:
    import numpy as np
    from pandas.api import types

    for name in frame.columns:
        column = frame[name]
        if types.is_bool_dtype(column.dtype) or not types.is_numeric_dtype(column.dtype):
            continue
        is_integer = types.is_integer_dtype(column.dtype)
        if target.kind == "f" and not is_integer:
            continue
        values = column.dropna()
        if len(values) < len(column) and target.kind in "iu":
            raise InvalidDataset(
                f"column {name!r} has missing values, but the model takes {target}, which has none"
            )
        original = values.to_numpy()
        with np.errstate(all="ignore"):
            there = original.astype(target)
            lost = there.astype(original.dtype) != original
        if is_integer and target.kind == "f":
            # Some processors saturate, so that the largest integer would seem to come back.
            lost |= np.abs(there.astype(np.float64)) >= 2.0**63
        if lost.any():
            raise InvalidDataset(
                f"column {name!r} holds {original[lost][0]}, which the model's input type {target} "
                "cannot hold exactly; give the model an input of a wider type, such as int64 or "
                "float64, or encode the column before"
            )
