"""Files as Spark, DuckDB and pandas leave them."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from model_lifecycle.gates.data.parquet import (
    StoredBytes,
    data_files,
    is_data_path,
    read_table,
    to_frame,
)
from model_lifecycle.registry.artifacts.local_store import LocalArtifacts
from model_lifecycle.registry.domain.errors import InvalidDataset


def _file(path: str, **columns: Any) -> StoredBytes:
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer)
    return StoredBytes(path, buffer.getvalue())


@pytest.mark.parametrize(
    ("path", "has_rows"),
    [
        ("part-00000.parquet", True),
        ("part-00000-6f1c.c000.snappy.parquet", True),
        ("minute=30/data_0.parquet", True),
        ("20240301_101010_00001_abcde", True),
        ("_SUCCESS", False),
        ("_temporary/0/task_1/part-00000.parquet", False),
        (".part-00000.parquet.crc", False),
        (".part-00000.parquet", False),
        ("part-00000.parquet.crc", False),
        ("part-00000.parquet.tmp", False),
        ("tmp_data_0.parquet", False),
        ("notes.txt", False),
    ],
)
def test_what_is_a_file_of_rows(path: str, has_rows: bool) -> None:
    """Markers, checksums and unfinished files are no data."""
    assert is_data_path(path) is has_rows


async def test_folders_of_data(tmp_path: Path) -> None:
    """A data set is all its files at any depth, in the order of their paths, and each has a
    revision that changes when it is replaced by one of the same size."""
    store = LocalArtifacts(tmp_path)
    for name in ("b.parquet", "a/part-1.parquet", "_SUCCESS", "a/.part-1.parquet.crc"):
        await store.put_bytes(f"t/{name}", b"12")

    before = await data_files(store, "t")
    await store.put_bytes("t/b.parquet", b"21")
    after = await data_files(store, "t")

    assert [file.path for file in before] == ["t/a/part-1.parquet", "t/b.parquet"]
    assert before[0].revision == after[0].revision
    assert before[1].revision != after[1].revision


def test_errors_name_the_file_and_the_column() -> None:
    """A broken file, and a column of two types, are named."""
    good, other = _file("part-1", distance=[1.5]), _file("part-2", distance=["far"])

    with pytest.raises(InvalidDataset, match="part-9 is not readable as Parquet"):
        read_table([good, StoredBytes("part-9", b"crc")], "traffic")
    with pytest.raises(
        InvalidDataset, match="columns differ: distance is double in part-1 and string in part-2"
    ):
        read_table([good, other], "traffic")


def test_dictionaries_beside_texts() -> None:
    """One file keeps a text as a dictionary, another plainly: they are one column."""
    plain = _file("part-1", carrier=["AA"])
    encoded = _file("part-2", carrier=pa.array(["UA"]).dictionary_encode())

    frame = to_frame(read_table([plain, encoded], "traffic"), "traffic")

    assert frame["carrier"].astype(str).tolist() == ["AA", "UA"]


def test_decimals_are_numbers() -> None:
    """Whole decimals are integers and others floats, as models take them."""
    table = pa.table(
        {
            "count": pa.array([Decimal(3)], pa.decimal128(38, 0)),
            "price": pa.array([Decimal("1.25")], pa.decimal128(10, 2)),
        }
    )

    frame = to_frame(table, "traffic")

    assert [frame[name].dtype.kind for name in frame] == ["i", "f"]
    assert frame.iloc[0].tolist() == [3, 1.25]


def test_an_index_that_pandas_wrote() -> None:
    """A named index is a column again, and rows are numbered from 0 whatever theirs was."""
    buffer = io.BytesIO()
    named = pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="request_id"))
    named.to_parquet(buffer)
    sliced = io.BytesIO()
    pd.DataFrame({"a": range(9)}).iloc[5:].to_parquet(sliced)

    frames = [
        to_frame(read_table([StoredBytes("f", item.getvalue())], "traffic"), "traffic")
        for item in (buffer, sliced)
    ]

    assert frames[0]["request_id"].tolist() == ["x", "y"]
    assert frames[1].index.tolist() == [0, 1, 2, 3]
