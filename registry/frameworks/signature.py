"""A model's feature columns: told from an example, and matched with the frames it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.column_types import misfit
from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput

from .protocol import Column

if TYPE_CHECKING:
    import pandas as pd


def example_columns(example: Any) -> tuple[Column, ...]:
    """The columns of an input example. Raises :class:`InvalidInput` unless it is a frame with
    rows, unique text names and types that MLflow's signatures know."""
    import pandas as pd

    if not isinstance(example, pd.DataFrame) or example.empty:
        raise InvalidInput(
            "input_example must be a pandas DataFrame with at least one row of features",
            field="input_example",
        )
    names = list(example.columns)
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise InvalidInput(
            "input_example must have unique columns with text names", field="input_example"
        )
    return tuple(Column(name, _type_of(name, example[name])) for name in names)


def select_columns(frame: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """The frame's columns of the signature, in its order; all of them where there is none.

    Raises :class:`InvalidDataset`, naming the column, when one is missing, doubled or of another
    kind: text is never read as a number.
    """
    if len(frame) == 0:
        raise InvalidDataset("the data set has no rows")
    if not columns:
        return frame
    present = set(frame.columns)
    missing = [column.name for column in columns if column.name not in present]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InvalidDataset(
            f"column {missing[0]!r}{more} is missing; the model's signature has "
            f"{', '.join(column.name for column in columns)}"
        )
    selected = frame[[column.name for column in columns]]
    if selected.shape[1] != len(columns):
        raise InvalidDataset("the data set has two columns of the same name")
    for column in columns:
        if problem := misfit(selected[column.name], column.type):
            raise InvalidDataset(
                f"column {column.name!r} holds {selected[column.name].dtype} values, but the "
                f"model's signature asks for {column.type}: {problem}"
            )
    return selected


def _type_of(name: str, values: pd.Series[Any]) -> str:
    """MLflow's name for the column's type."""
    from pandas.api import types

    dtype = values.dtype
    if types.is_bool_dtype(dtype):
        return "boolean"
    if types.is_integer_dtype(dtype):
        size = dtype.itemsize * (2 if types.is_unsigned_integer_dtype(dtype) else 1)
        return "integer" if size <= 4 else "long"
    if types.is_float_dtype(dtype):
        return "float" if dtype.itemsize <= 4 else "double"
    if types.is_datetime64_any_dtype(dtype):
        return "datetime"
    if _is_text(values):
        return "string"
    raise InvalidInput(
        f"column {name!r} of input_example has values of type {dtype}, which a signature cannot "
        "tell; use numbers, text, booleans or timestamps",
        field="input_example",
    )


def _is_text(values: pd.Series[Any]) -> bool:
    """Text, or categories, which MLflow has no type of its own for."""
    import pandas as pd

    if isinstance(values.dtype, pd.CategoricalDtype | pd.StringDtype):
        return True
    return bool(values.dtype == object and all(isinstance(x, str) for x in values.dropna()))
