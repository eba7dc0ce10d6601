"""Reading a held-out data set: a Parquet file or a folder of them, local or below the artifact
root. In a folder, ``column=value`` segments are a column, as Spark, DuckDB and Hive write them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from model_lifecycle.registry.domain.canonical_json import digest_bytes
from model_lifecycle.registry.domain.errors import ArtifactNotFound, InvalidDataset, InvalidInput

from .parquet import (
    StoredBytes,
    concat_tables,
    data_files,
    files_digest,
    is_data_path,
    read_files,
    read_table,
    to_frame,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from ..protocols import ArtifactFiles

_WHAT = "the data set"


@dataclass(frozen=True)
class Dataset:
    """Rows, and the digest of the file or files they are from. ``not_numbers`` counts the values
    of each column that are NaN, which is not the same as null."""

    frame: pd.DataFrame
    digest: str
    not_numbers: Mapping[str, int] = field(default_factory=dict)


async def read_dataset(store: ArtifactFiles, address: str) -> Dataset:
    """The Parquet file or folder at ``address``: a URI below the artifact root, a path, or
    ``file:``.

    Raises ArtifactNotFound when there is none, InvalidInput for an address elsewhere, and
    InvalidDataset, naming the file and the column, for what is no Parquet or no one table.
    """
    if not isinstance(address, str) or not address or "\0" in address:
        raise InvalidInput(f"data must be a path or address, not {address!r:.80}", field="data")
    path = store.path_of(address)
    if path is None:
        return await asyncio.to_thread(_local, address)
    folder = path.rstrip("/")
    files = await store.files(folder)
    if not any(file.path.startswith(f"{folder}/") for file in files):
        return await asyncio.to_thread(_dataset, folder, await read_files(store, [folder]))
    paths = [file.path for file in await data_files(store, folder)]
    _require_files(paths, address)
    return await asyncio.to_thread(_dataset, folder, await read_files(store, paths))


def _local(address: str) -> Dataset:
    parts = urlsplit(address)
    if parts.scheme not in ("", "file"):
        raise InvalidInput(
            f"data {address!r:.200} is not below the artifact root; copy it there, or give a "
            "local file or folder",
            field="data",
        )
    path = Path(unquote(parts.path) if parts.scheme else address)
    try:
        files = [path]
        if path.is_dir():
            below = {file.relative_to(path).as_posix(): file for file in path.rglob("*")}
            files = [
                file
                for name, file in sorted(below.items())
                if is_data_path(name) and not file.is_dir()
            ]
            _require_files(files, address)
        contents = [StoredBytes(file.as_posix(), file.read_bytes()) for file in files]
    except OSError as error:
        raise ArtifactNotFound(f"{address} ({error.strerror})") from error
    return _dataset(path.as_posix(), contents)


def _require_files(files: Sequence[object], folder: str) -> None:
    if not files:
        raise InvalidDataset(
            f"the folder {folder} has no Parquet files; names that begin with '_' or '.' are no "
            "data"
        )


def _dataset(root: str, contents: Sequence[StoredBytes]) -> Dataset:
    tables = [(file.path, _partition(root, file)) for file in contents]
    table = concat_tables(tables, _WHAT)
    single = len(contents) == 1 and contents[0].path == root
    return Dataset(
        to_frame(table, _WHAT),
        digest_bytes(contents[0].data) if single else files_digest(contents),
        _not_numbers(table),
    )


def _partition(root: str, file: StoredBytes) -> pa.Table:
    """A file's rows, with the columns that the folders above it name."""
    table = read_table([file], _WHAT)
    for segment in file.path.removeprefix(root).split("/")[:-1]:
        column, sign, value = segment.partition("=")
        if sign and column not in table.column_names:
            table = table.append_column(column, _constant(unquote(value), table.num_rows))
    return table


def _constant(value: str, rows: int) -> pa.Array:
    """The value of a partition's column: an integer where it looks like one."""
    import pyarrow as pa

    if value == "__HIVE_DEFAULT_PARTITION__":
        return pa.nulls(rows)
    digits = value.removeprefix("-")
    is_integer = digits.isascii() and digits.isdigit() and value == str(int(value))
    return pa.repeat(pa.scalar(int(value) if is_integer else value), rows)


def _not_numbers(table: pa.Table) -> dict[str, int]:
    from pyarrow import compute, types

    counted: dict[str, int] = {}
    for index, item in enumerate(table.schema):
        if types.is_float32(item.type) or types.is_float64(item.type):
            number = compute.sum(compute.is_nan(table.column(index))).as_py()
            if number:
                counted[item.name] = int(number)
    return counted
