"""Rows that are the same, and data sets that are: both by hashes of the values that models use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model_lifecycle.registry.domain.canonical_json import digest_bytes

Hashes = NDArray[np.uint64]

#: A column of fewer different values does not identify a data set.
FEWEST_VALUES = 20
#: So many columns at most identify a data set; with more, those with the smallest digests.
MOST_COLUMNS = 20


def identical_groups(frame: pd.DataFrame) -> NDArray[np.int64]:
    """A code from 0 for each row; rows with the same values in every column share one."""
    return np.asarray(pd.factorize(_together(_hashes(frame)))[0], dtype=np.int64)


def data_fingerprint(frame: pd.DataFrame, label: str | None) -> list[str]:
    """Digests that two data sets have in common when they hold the same rows.

    Each is of one used column together with the label, whatever the order of rows, the name of
    the column and the other columns; the first is of all columns of ``frame`` together. So
    candidates that use different columns of the same rows are recognised by those they share.
    """
    hashes = _hashes(frame)
    truth = hashes.pop(label) if label is not None else np.zeros(len(frame), dtype=np.uint64)
    single = sorted(
        _unordered(_together({"": truth, name: values}))
        for name, values in hashes.items()
        if len(np.unique(values)) >= FEWEST_VALUES
    )
    every = np.sort(np.array(list(hashes.values()) or [truth]), axis=0)
    row_hashes = _together({"": truth, **{str(i): row for i, row in enumerate(every)}})
    return [_unordered(row_hashes), *single[:MOST_COLUMNS]]


def _hashes(frame: pd.DataFrame) -> dict[str, Hashes]:
    return {str(name): _column(frame[name]) for name in frame.columns}


def _column(values: pd.Series[Any]) -> Hashes:
    """Hashes of values; numbers are equal whatever their type, and so are nulls."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        values = values.astype(dtype.categories.dtype)
    if pd.api.types.is_bool_dtype(values.dtype) or pd.api.types.is_numeric_dtype(values.dtype):
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        return np.asarray(pd.util.hash_array(numbers + 0.0))
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        times = pd.to_datetime(values, utc=True).dt.as_unit("us")
        return np.asarray(pd.util.hash_array(times.astype("int64").to_numpy()))
    return np.asarray(pd.util.hash_array(values.astype(str).to_numpy(dtype=object)))


def _together(columns: dict[str, Hashes]) -> Hashes:
    """One hash for each row, from those of its columns in their order."""
    first, *others = columns.values()
    combine = first
    for values in others:
        # The multiplier of Knuth's 64-bit linear congruential generator; wraps around.
        combine = combine * np.uint64(6364136223846793005) + values
    return combine


def _unordered(hashes: Hashes) -> str:
    return digest_bytes(np.sort(hashes).astype("<u8").tobytes())


def shared(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether two fingerprints are of the same rows."""
    return not set(first).isdisjoint(second)
