from __future__ import annotations

import decimal
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model_lifecycle.gates.data.datasets import read_dataset
from model_lifecycle.registry.artifacts.local_store import LocalArtifacts
from model_lifecycle.registry.domain.errors import ArtifactNotFound, InvalidDataset


@pytest.fixture
def store(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path / "root")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder written by Spark: parts in several compressions, markers and checksums."""
    folder = tmp_path / "held-out"
    (folder / "_temporary").mkdir(parents=True)
    for part, compression in enumerate(("snappy", "zstd", "gzip", "none")):
        table = pa.table({"a": [part, None], "label": [0, 1]})
        pq.write_table(
            table, folder / f"part-{part:05d}.{compression}.parquet", compression=compression
        )
    (folder / "_SUCCESS").write_bytes(b"")
    (folder / ".part-00000.snappy.parquet.crc").write_bytes(b"crc")
    (folder / "_temporary" / "part-9.parquet").write_bytes(b"unfinished")
    return folder


async def test_folder(store: LocalArtifacts, folder: Path) -> None:
    """All parts are read and nothing else."""
    dataset = await read_dataset(store, str(folder))

    assert dataset.frame["a"].dropna().tolist() == [0, 1, 2, 3]
    assert len(dataset.frame) == 8


def _contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


async def test_folder_below_the_root(store: LocalArtifacts, folder: Path) -> None:
    """A folder in the artifact store has the same rows, and a single file its own digest."""
    for name, content in _contents(folder).items():
        await store.put_bytes(f"acme/data/{name}", content)
    local = await read_dataset(store, str(folder))

    stored = await read_dataset(store, store.uri("acme/data"))
    part = await read_dataset(store, store.uri("acme/data/part-00000.snappy.parquet"))

    pd.testing.assert_frame_equal(stored.frame, local.frame)
    assert len(part.frame) == 2


async def test_columns_of_folders(store: LocalArtifacts, tmp_path: Path) -> None:
    """``column=value`` segments are columns, whole numbers where they look like one."""
    for country, day in (("DE", 1), ("FR", 2)):
        below = tmp_path / "data" / f"country={country}" / f"day={day}"
        below.mkdir(parents=True)
        pq.write_table(pa.table({"a": [1.0]}), below / "part-0.parquet")

    frame = (await read_dataset(store, str(tmp_path / "data"))).frame

    assert frame[["country", "day"]].values.tolist() == [["DE", 1], ["FR", 2]]


async def test_types_of_other_writers(store: LocalArtifacts, tmp_path: Path) -> None:
    """Decimals, dates, nullable booleans, dictionaries and large strings become columns that a
    model takes, without pandas' own notes in the file."""
    table = pa.table(
        {
            "whole": pa.array([1, None, 3]),
            "flag": pa.array([True, None, False]),
            "price": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("2.25")]),
            "day": pa.array([date(2024, 3, 1), None, date(2024, 3, 2)]),
            "kind": pa.array(["x", "y", None]).dictionary_encode(),
            "text": pa.array(["x", "y", None], pa.large_string()),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")

    frame = (await read_dataset(store, str(tmp_path / "x.parquet"))).frame

    assert frame["whole"].tolist()[::2] == [1, 3]
    assert str(frame["flag"].dtype) == "boolean"
    assert frame["price"].tolist()[::2] == [1.5, 2.25]
    assert frame["day"].dt.day.tolist()[::2] == [1, 2]
    assert frame["kind"].tolist()[:2] == frame["text"].tolist()[:2] == ["x", "y"]


async def test_not_a_number_is_no_null(store: LocalArtifacts, tmp_path: Path) -> None:
    """NaN that a program wrote is counted; nulls are not."""
    values = pa.array([1.0, np.nan, None, np.nan])
    pq.write_table(pa.table({"label": values}), tmp_path / "x.parquet")

    assert (await read_dataset(store, str(tmp_path / "x.parquet"))).not_numbers == {"label": 2}


async def test_files_that_are_no_table(store: LocalArtifacts, tmp_path: Path) -> None:
    """The error names the column, its types and the files."""
    folder = tmp_path / "data"
    folder.mkdir()
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), folder / "part-0.parquet")
    pq.write_table(pa.table({"a": [1], "b": [2.5]}), folder / "part-1.parquet")

    with pytest.raises(InvalidDataset, match=r"b is string in .*part-0.* double in .*part-1"):
        await read_dataset(store, str(folder))


async def test_broken_file_is_named(store: LocalArtifacts, folder: Path) -> None:
    (folder / "part-00009.parquet").write_bytes(b"not parquet")

    with pytest.raises(InvalidDataset, match=r"part-00009\.parquet is not readable"):
        await read_dataset(store, str(folder))


async def test_nothing_there(store: LocalArtifacts, tmp_path: Path) -> None:
    """A folder of markers and a path that does not exist are clear errors."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "_SUCCESS").write_bytes(b"")

    with pytest.raises(InvalidDataset, match="no Parquet files"):
        await read_dataset(store, str(tmp_path / "empty"))
    with pytest.raises(ArtifactNotFound):
        await read_dataset(store, store.uri("acme/nowhere"))
