"""Columns of Parquet files as one Arrow type each, whatever type the writing program chose.

Spark, DuckDB, Athena, Snowflake and pandas store one id as an integer, a decimal, a text or bytes,
and one time in four units. Values are compared after these functions only, so that the two sides
of a join agree. No id passes through a floating-point number, which is exact up to 2**53 only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.errors import InvalidDataset

if TYPE_CHECKING:
    import pyarrow as pa

#: Whole numbers up to here have a floating-point value of their own.
_EXACT = 2**53
_UUID_BYTES = 16


def id_texts(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """Ids as text that is equal exactly where the ids are: 7 is ``7`` as an integer, a decimal or
    a text; 16 bytes that are no text are a UUID in its usual form, other bytes are hexadecimal.

    Nulls stay null; NaN becomes null. ``where`` names file and column. Raises
    :class:`InvalidDataset` for types that cannot identify anything, and for floating-point numbers
    that may have lost digits.
    """
    import pyarrow as pa
    from pyarrow import types

    column = _plain(column)
    kind = column.type
    if kind == pa.string():
        return column
    if types.is_large_string(kind) or types.is_string_view(kind) or types.is_null(kind):
        return column.cast(pa.string())
    if types.is_integer(kind) or types.is_boolean(kind):
        return column.cast(pa.string())
    if types.is_decimal(kind):
        return _decimal_texts(column)
    if types.is_floating(kind):
        return _integer_texts(column, where)
    if (
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_fixed_size_binary(kind)
        or types.is_binary_view(kind)
    ):
        return _byte_texts(column)
    if types.is_temporal(kind):
        return column.cast(pa.string())
    raise InvalidDataset(
        f"{where} is of type {kind}, which identifies nothing; write ids as text, integers, "
        "decimals or bytes"
    )


def utc_timestamps(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """Times as microseconds in UTC: timestamps of any unit and zone, dates, and ISO 8601 texts.
    Those without a zone are UTC. Parts of a microsecond are cut off; nulls stay null. Raises
    :class:`InvalidDataset` for anything else: a number does not state its unit."""
    import pandas as pd
    import pyarrow as pa
    from pyarrow import types

    target = pa.timestamp("us", tz="UTC")
    column = _plain(column)
    if column.type == target:
        return column
    try:
        if types.is_timestamp(column.type) or types.is_date(column.type):
            return column.cast(
                pa.timestamp("us", column.type.tz if _zoned(column) else None), safe=False
            ).cast(target)
        if types.is_null(column.type):
            return column.cast(target)
        if types.is_large_string(column.type) or types.is_string(column.type):
            times = pd.to_datetime(column.to_pandas(), utc=True, format="ISO8601")
            array = pa.array(times.dt.as_unit("us").dt.tz_convert(None), pa.timestamp("us"))
            return pa.chunked_array([array.cast(target)])
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise InvalidDataset(
            f"{where} contains a value that is not a time: {error!s:.200}"
        ) from error
    raise InvalidDataset(
        f"{where} is of type {column.type}; write timestamps (any unit, any zone; without a zone "
        "they are UTC) or ISO 8601 texts"
    )


def integers(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """Version numbers as 64-bit integers, from any type that holds integers exactly. Raises
    :class:`InvalidDataset`."""
    import pyarrow as pa

    column = _plain(column)
    try:
        return column.cast(pa.int64())
    except (pa.ArrowException, ValueError) as error:
        raise InvalidDataset(
            f"{where}, of type {column.type}, contains a value that is not an integer: "
            f"{error!s:.200}"
        ) from error


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column without a dictionary or an extension type around its values."""
    import pyarrow as pa
    from pyarrow import types

    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array(
            [chunk.storage for chunk in column.chunks], type=column.type.storage_type
        )
    if types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column


def _zoned(column: pa.ChunkedArray) -> bool:
    return getattr(column.type, "tz", None) is not None


def _decimal_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """``123.00`` and ``123`` are one number."""
    from pyarrow import compute

    texts = compute.cast(column, "string")
    if column.type.scale <= 0:
        return texts
    return compute.replace_substring_regex(texts, r"\.?0*$", "")


def _integer_texts(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """Integers that a writer turned into floating-point numbers, as pandas does beside a null."""
    import pyarrow as pa
    from pyarrow import compute

    numbers = column.cast(pa.float64())
    missing = compute.is_nan(numbers)
    numbers = compute.if_else(missing, pa.scalar(None, pa.float64()), numbers)
    exact = compute.and_(
        compute.equal(numbers, compute.floor(numbers)),
        compute.less_equal(compute.abs(numbers), float(_EXACT)),
    )
    if not compute.all(exact).as_py() and exact.null_count < len(exact):
        example = numbers.filter(compute.invert(exact)).drop_null()[0].as_py()
        raise InvalidDataset(
            f"{where} holds the floating-point number {example!r}: ids above 2**53 or with a "
            "fraction have lost digits; write them as integers or text"
        )
    return numbers.cast(pa.int64()).cast(pa.string())


def _byte_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Bytes as the text that they hold, where all of them are printable; else as UUIDs or
    hexadecimal. It is decided for the column: a single UUID may happen to look like text."""
    import uuid

    import pyarrow as pa

    values: list[Any] = column.to_pylist()
    texts = [_printable(value) for value in values]
    if any(text is None and value is not None for text, value in zip(texts, values, strict=True)):
        texts = [
            None
            if value is None
            else str(uuid.UUID(bytes=value))
            if len(value) == _UUID_BYTES
            else value.hex()
            for value in values
        ]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _printable(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None
