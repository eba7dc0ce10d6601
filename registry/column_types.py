"""Which values fill a column of a signature: one table for the gates and for predictors.

Values decide where a type does not say enough: programs write a whole number with a null as
``int64``, ``double`` or ``decimal``, and pandas reads all three as floating-point numbers; all are
whole numbers with a null. pandas is imported on use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

#: MLflow's column types, and the kinds of values that fill them without loss: b boolean, i whole
#: number, f number, t text, d timestamp or date. What is not listed takes anything.
_FITTING: Mapping[str, str] = {
    "double": "bif",
    "float": "bif",
    "long": "bi",
    "integer": "bi",
    "boolean": "b",
    "string": "t",
    "datetime": "d",
}


def misfit(values: pd.Series[Any], kind: str) -> str:
    """Why ``values`` do not fill a column of MLflow's type ``kind``, in words; empty where they
    do. Nulls fit every type."""
    fitting = _FITTING.get(kind)
    if fitting is None:
        return ""
    actual = value_kind(values)
    if actual in fitting or not values.notna().any():
        return ""
    if actual == "f" and "i" in fitting:
        parts = _fractions(values)
        return f"{parts} values are no whole numbers" if parts else ""
    if kind == "boolean" and actual in "if":
        others = int((~values.dropna().isin((0, 1))).sum())
        return f"{others} values are neither 0 nor 1" if others else ""
    return f"it holds {_described(values)}"


def value_kind(values: pd.Series[Any]) -> str:
    """The kind of a column's values, one letter as above; ``?`` for others and for mixtures."""
    import pandas as pd
    from pandas.api import types

    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return value_kind(pd.Series(dtype.categories))
    if types.is_bool_dtype(dtype):
        return "b"
    if types.is_integer_dtype(dtype):
        return "i"
    if types.is_float_dtype(dtype):
        return "f"
    if types.is_datetime64_any_dtype(dtype):
        return "d"
    if isinstance(dtype, pd.StringDtype):
        return "t"
    return _object_kind(values)


def _object_kind(values: pd.Series[Any]) -> str:
    from pandas.api.types import infer_dtype

    kinds = {
        **dict.fromkeys(("string", "empty"), "t"),
        **dict.fromkeys(("boolean",), "b"),
        **dict.fromkeys(("integer",), "i"),
        **dict.fromkeys(("floating", "mixed-integer-float", "decimal"), "f"),
        **dict.fromkeys(("datetime", "datetime64", "date"), "d"),
    }
    return kinds.get(infer_dtype(values, skipna=True), "?")


def _fractions(values: pd.Series[Any]) -> int:
    import numpy as np

    known = values.dropna().astype(float).to_numpy()
    return int((~np.isfinite(known) | (known != np.floor(known))).sum())


def _described(values: pd.Series[Any]) -> str:
    words = {"b": "booleans", "i": "whole numbers", "f": "numbers", "t": "text", "d": "timestamps"}
    return words.get(value_kind(values), f"{values.dtype} values")
