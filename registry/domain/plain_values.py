"""Values of other libraries as plain Python: what a parameter, a tag or a data set is stored as.

numpy, pandas and enums are recognised by what their values offer, so nothing of them is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time, timedelta
from enum import Enum
from os import PathLike, fspath
from typing import Any


def plain_value(value: Any) -> Any:
    """``value`` with numpy scalars and arrays, dates, enums and paths as plain Python values.

    Dates and timestamps become ISO 8601 text, with the time zone they have. Mappings, lists,
    tuples and sets are converted in depth; every other object is returned as it is.
    """
    if isinstance(value, Enum):
        return plain_value(value.value)
    if isinstance(value, type):
        return value
    if hasattr(value, "dtype"):
        return _plain_numbers(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, date | time):  # a datetime, and a pandas Timestamp, is a date too
        return value.isoformat()
    if isinstance(value, timedelta | PathLike):
        return fspath(value) if isinstance(value, PathLike) else str(value)
    if isinstance(value, Mapping):
        return {plain_value(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_value(item) for item in value]
    return value


def plain_text(value: Any) -> Any:
    """``value`` as the text a parameter or tag has in MLflow: of a text the text itself, of other
    values the plain Python form (``0.1``, ``3``, ``True``, ``['a', 'b']``), of functions and
    classes the name to import them by."""
    value = plain_value(value)
    if isinstance(value, str):
        return value
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str):
        return f"{getattr(value, '__module__', None) or ''}.{name}".lstrip(".")
    return repr(value)


def _plain_numbers(value: Any) -> Any:
    """A numpy scalar, or whatever holds several of them."""
    if getattr(value, "shape", None) != ():
        return plain_value(value.tolist()) if hasattr(value, "tolist") else value
    kind = getattr(value.dtype, "kind", "")
    if kind in "mMU":
        # numpy gives a count of nanoseconds for some of its timestamps.
        return str(value)
    item = value.item()
    # In single precision 0.1 is 0.10000000149011612; its own shortest form is what was meant.
    return float(str(item if value.dtype.itemsize == 8 else value)) if kind == "f" else item
