"""Reading Parquet as other programs leave it: the one way in which every gate reads rows.

Paths follow the conventions of Hive, Spark and DuckDB: what begins with ``_`` or ``.`` is no data
(``_SUCCESS``, ``_temporary/``, ``.part-00000.parquet.crc``), nor is a file that is still being
written. Files of one data set may differ in the order and the width of their columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_lifecycle.registry.domain.canonical_json import digest, digest_bytes
from model_lifecycle.registry.domain.errors import InvalidDataset

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from ..protocols import ArtifactFiles, StoredFile

    #: What turns a column, described by file and name, into the type that gates compare.
    Conversion = Callable[[pa.ChunkedArray, str], pa.ChunkedArray]

#: Names of files that hold rows end so; Athena's have no ending at all.
_ENDINGS = (".parquet", ".parq", ".pq")
#: DuckDB writes to a file of this name before it renames it.
_UNFINISHED = "tmp_"


@dataclass(frozen=True)
class StoredBytes:
    """A file that was read: its path in the artifact store, or on this machine."""

    path: str
    data: bytes


def is_data_path(path: str) -> bool:
    """Whether a path, relative to a data set's folder, is one of its files and not a marker, a
    checksum or a file that is still being written."""
    *folders, name = path.split("/")
    if any(part.startswith(("_", ".")) for part in (*folders, name)):
        return False
    if name.startswith(_UNFINISHED):
        return False
    return "." not in name or name.lower().endswith(_ENDINGS)


async def data_files(store: ArtifactFiles, folder: str) -> list[StoredFile]:
    """The files of the data set at ``folder``, at any depth, in order of their paths."""
    files = await store.files(folder)
    chosen = [file for file in files if is_data_path(file.path.removeprefix(f"{folder}/"))]
    return sorted(chosen, key=lambda file: file.path)


def revision_of(files: Sequence[StoredFile]) -> str:
    """Changes when a file is added, removed or replaced, even by one of the same size."""
    return digest([[file.path, file.size, file.revision] for file in files])


async def read_files(store: ArtifactFiles, paths: Sequence[str]) -> list[StoredBytes]:
    """The content of each file. Raises ArtifactNotFound."""
    return [StoredBytes(path, await store.get_bytes(path)) for path in paths]


def files_digest(files: Sequence[StoredBytes]) -> str:
    """The digest of the files' bytes, in their order."""
    return digest([digest_bytes(file.data) for file in files])


def require_columns(columns: Iterable[str], names: Sequence[str], what: str) -> None:
    """All of ``names`` are among ``columns``. Raises :class:`InvalidDataset`."""
    present = set(columns)
    missing = [name for name in names if name not in present]
    if missing:
        raise InvalidDataset(f"{what} lacks the column {', '.join(missing)}")


def read_table(
    files: Sequence[StoredBytes], what: str, conversions: Mapping[str, Conversion] | None = None
) -> pa.Table:
    """The rows of the files, one below the other; columns in ``conversions`` are converted in each
    file. Raises :class:`InvalidDataset` that names the file, and the column where it is one."""
    return concat_tables(
        [(file.path, _read(file, what, conversions or {})) for file in files], what
    )


def concat_tables(tables: Sequence[tuple[str, pa.Table]], what: str) -> pa.Table:
    """Tables with their names, one below the other; a column that one lacks is null there. Raises
    :class:`InvalidDataset` that names a column of two types."""
    import pyarrow as pa

    parts = [table for _, table in tables]
    try:
        return pa.concat_tables(parts, promote_options="permissive")
    except (pa.ArrowException, ValueError):
        parts = [_without_dictionaries(table) for table in parts]
    try:
        return pa.concat_tables(parts, promote_options="permissive")
    except (pa.ArrowException, ValueError) as error:
        raise InvalidDataset(
            f"{what} cannot be read as one table, its columns differ: "
            f"{_difference(tables) or f'{error!s:.200}'}"
        ) from error


def to_frame(table: pa.Table, what: str) -> pd.DataFrame:
    """The table as a frame numbered from 0. An index that pandas wrote is a column again, decimals,
    in which Snowflake and DuckDB store every number, are integers or floats, dates are timestamps,
    and booleans with nulls are nullable booleans, which models take as numbers."""
    import pyarrow as pa

    try:
        plain = _without_decimals(table)
        frame = plain.to_pandas(date_as_object=False)
        frame = frame.astype(dict.fromkeys(_booleans_with_nulls(plain), "boolean"))
    except (pa.ArrowException, ValueError) as error:
        raise InvalidDataset(f"{what} cannot be read: {error!s:.200}") from error
    unnamed = all(name is None for name in frame.index.names)
    return frame.reset_index(drop=unnamed)


def frame_from_parquet(contents: Sequence[bytes], what: str) -> pd.DataFrame:
    """The rows of Parquet files, one below the other. Raises :class:`InvalidDataset`."""
    files = [StoredBytes(f"file {number}", data) for number, data in enumerate(contents, 1)]
    return to_frame(read_table(files, what), what)


def _read(file: StoredBytes, what: str, conversions: Mapping[str, Conversion]) -> pa.Table:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(pa.BufferReader(file.data))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidDataset(
            f"{what}: {file.path} is not readable as Parquet: {error!s:.200}"
        ) from error
    for name, convert in conversions.items():
        index = table.schema.get_field_index(name)
        if index >= 0:
            column = convert(table.column(index), f"{what}: {file.path}: column {name}")
            table = table.set_column(index, name, column)
    return table


def _without_decimals(table: pa.Table) -> pa.Table:
    import pyarrow as pa
    from pyarrow import types

    for index, field in enumerate(table.schema):
        if types.is_decimal(field.type):
            column = table.column(index)
            try:
                column = column.cast(pa.int64())
            except pa.ArrowException:
                column = column.cast(pa.float64())
            table = table.set_column(index, field.name, column)
    return table


def _booleans_with_nulls(table: pa.Table) -> list[str]:
    from pyarrow import types

    return [
        field.name
        for field, column in zip(table.schema, table.columns, strict=True)
        if types.is_boolean(field.type) and column.null_count
    ]


def _without_dictionaries(table: pa.Table) -> pa.Table:
    from pyarrow import types

    for index, field in enumerate(table.schema):
        if types.is_dictionary(field.type):
            column = table.column(index).cast(field.type.value_type)
            table = table.set_column(index, field.name, column)
    return table


def _difference(tables: Sequence[tuple[str, pa.Table]]) -> str:
    """The first column that two files have in types that do not go together."""
    import pyarrow as pa

    first_path, first = tables[0]
    for path, table in tables[1:]:
        for field in table.schema:
            if field.name not in first.column_names:
                continue
            before = first.schema.field(field.name)
            try:
                pa.unify_schemas(
                    [pa.schema([before]), pa.schema([field])], promote_options="permissive"
                )
            except pa.ArrowException:
                return f"{field.name} is {before.type} in {first_path} and {field.type} in {path}"
    return ""
