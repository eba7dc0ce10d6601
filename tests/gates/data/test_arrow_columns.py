"""Ids, times and versions from every Arrow type that a writing program may choose."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from model_lifecycle.gates.data.arrow_columns import id_texts, integers, utc_timestamps
from model_lifecycle.registry.domain.errors import InvalidDataset

LARGE = 2**60 + 1
UUID = uuid.UUID("550e8400-e29b-41d4-a716-446655440000")


def _column(values: list[Any], kind: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


@pytest.mark.parametrize(
    "column",
    [
        _column([LARGE, None], pa.int64()),
        _column([LARGE, None], pa.uint64()),
        _column([Decimal(LARGE), None], pa.decimal128(38, 0)),
        _column([Decimal(LARGE), None], pa.decimal128(38, 2)),
        _column([str(LARGE), None], pa.string()),
        _column([str(LARGE), None], pa.large_string()),
        _column([str(LARGE), None]).dictionary_encode(),
        _column([str(LARGE).encode(), None], pa.binary()),
    ],
    ids=lambda column: str(column.type),
)
def test_an_id_keeps_its_exact_value(column: pa.ChunkedArray) -> None:
    """An id above 2**53 is the same text from every type, and a null stays one."""
    assert id_texts(column, "here").to_pylist() == [str(LARGE), None]


@pytest.mark.parametrize("kind", [pa.binary(16), pa.binary(), pa.large_binary(), pa.uuid()])
def test_bytes_of_a_uuid_equal_its_text(kind: pa.DataType) -> None:
    """A UUID in bytes joins with the same UUID as text."""
    assert id_texts(_column([UUID.bytes, None], kind), "here").to_pylist() == [str(UUID), None]


def test_integers_that_became_floats() -> None:
    """Small whole numbers beside a null are exact; larger ones have lost digits and are refused."""
    assert id_texts(_column([7.0, None, float("nan")]), "here").to_pylist() == ["7", None, None]
    for value in (2.0**60, 0.5, float("inf")):
        with pytest.raises(InvalidDataset, match=r"part-7: column request_id .* lost digits"):
            id_texts(_column([value, 1.0]), "part-7: column request_id")


def test_what_identifies_nothing() -> None:
    """A list is no id."""
    with pytest.raises(InvalidDataset, match="identifies nothing"):
        id_texts(_column([[1], [2]]), "here")


NOON = datetime(2024, 3, 1, 12, 0, 0, 5000, tzinfo=UTC)


@pytest.mark.parametrize(
    "column",
    [
        *(_column([NOON], pa.timestamp(unit, "UTC")) for unit in ("ms", "us", "ns")),
        _column([NOON], pa.timestamp("us", "America/New_York")),
        _column([NOON.replace(tzinfo=None)], pa.timestamp("ns")),
        _column(["2024-03-01T12:00:00.005"]),
        _column(["2024-03-01T14:00:00.005+02:00"], pa.large_string()),
        _column([NOON.replace(tzinfo=None)]).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_a_time_of_any_unit_and_zone(column: pa.ChunkedArray) -> None:
    """One instant is the same from every type; without a zone it is UTC."""
    assert utc_timestamps(column, "here").to_pylist() == [NOON]


def test_times_that_are_none() -> None:
    """A date is its midnight, nulls stay nulls, and a number or another text is refused."""
    assert utc_timestamps(_column([date(2024, 3, 1)]), "here").to_pylist() == [
        datetime(2024, 3, 1, tzinfo=UTC)
    ]
    assert utc_timestamps(_column([None]), "here").to_pylist() == [None]
    with pytest.raises(InvalidDataset, match=r"part-7: column requested_at is of type int64"):
        utc_timestamps(_column([1709294400]), "part-7: column requested_at")
    with pytest.raises(InvalidDataset, match="not a time"):
        utc_timestamps(_column(["soon"]), "here")


def test_versions() -> None:
    """A version is the same whole number from every type; half a version is refused."""
    for column in (_column(["3"]), _column([3.0]), _column([Decimal(3)]), _column([3], pa.int8())):
        assert integers(column, "here").to_pylist() == [3]
    with pytest.raises(InvalidDataset, match="not an integer"):
        integers(_column([1.5]), "here")
