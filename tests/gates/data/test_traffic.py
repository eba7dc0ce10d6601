from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pendulum
import pyarrow as pa
import pytest
from pyarrow import parquet

from model_lifecycle.gates.data.request_ids import hash_request_ids
from model_lifecycle.gates.data.traffic import (
    Partition,
    batches,
    parse_day,
    partitions,
    read_labels,
    read_partition,
    read_partitions,
)
from model_lifecycle.gates.data.traffic_writer import write_labels, write_traffic
from model_lifecycle.registry.artifacts.local_store import LocalArtifacts
from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput, InvalidName

HOUR = datetime(2024, 3, 1, 5, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path)


def _log(hour: datetime = HOUR, rows: int = 3, **values: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "request_id": [f"r{i}" for i in range(rows)],
            "requested_at": [hour + timedelta(minutes=i) for i in range(rows)],
            "carrier": ["AA"] * rows,
            "distance": [1.5] * rows,
            "version": 1,
            "role": "champion",
            "prediction": 0,
        }
    ).assign(**values)


async def test_layout(store: LocalArtifacts) -> None:
    """Requests and labels lie where the design says."""
    path = await write_traffic(store, "acme", "churn", HOUR, _log())
    labels = pd.DataFrame({"request_id": ["r0"], "label": [1], "labelled_at": [HOUR]})
    label_path = await write_labels(store, "acme", "churn", HOUR, labels, part=2)

    assert path == "acme/traffic/churn/date=2024-03-01/hour=05/part-00000.parquet"
    assert label_path == "acme/traffic/churn/labels/date=2024-03-01/part-00002.parquet"


async def test_written_and_read(store: LocalArtifacts) -> None:
    """Written traffic is read back, with the optional columns there."""
    await write_traffic(store, "acme", "churn", HOUR, _log())

    (partition,) = await partitions(store, "acme", "churn", HOUR, HOUR + timedelta(hours=1))
    data = await read_partition(store, partition)

    assert data.frame["carrier"].tolist() == ["AA"] * 3
    assert data.frame[["score", "latency_ms", "error"]].isna().all(axis=None)
    assert str(data.frame["requested_at"].dt.tz) == "UTC"
    assert data.digest.startswith("sha256:")


async def test_written_again(store: LocalArtifacts) -> None:
    """Writing a part again replaces it; another part adds to it."""
    await write_traffic(store, "acme", "churn", HOUR, _log(rows=3))
    await write_traffic(store, "acme", "churn", HOUR, _log(rows=2))
    await write_traffic(store, "acme", "churn", HOUR, _log(rows=4), part=1)

    (partition,) = await partitions(store, "acme", "churn", HOUR, HOUR + timedelta(hours=1))

    assert len((await read_partition(store, partition)).frame) == 6


async def test_window(store: LocalArtifacts) -> None:
    """A window is half-open, spans days, and skips hours without traffic."""
    for hours in (-1, 0, 18, 19, 40):
        at = HOUR + timedelta(hours=hours)
        await write_traffic(store, "acme", "churn", at, _log(at))
    await write_labels(
        store,
        "acme",
        "churn",
        HOUR,
        pd.DataFrame({"request_id": ["r0"], "label": [1], "labelled_at": [HOUR]}),
    )

    partition_list = await partitions(store, "acme", "churn", HOUR, HOUR + timedelta(hours=40))

    assert [item.name for item in partition_list] == [
        "2024-03-01 05h",
        "2024-03-01 23h",
        "2024-03-02 00h",
    ]


async def test_another_tenants_traffic(store: LocalArtifacts) -> None:
    """Traffic of another tenant or model is not seen."""
    await write_traffic(store, "acme", "churn", HOUR, _log())

    for tenant, model in (("acme2", "churn"), ("acme", "churn2"), ("acme", "chur")):
        assert await partitions(store, tenant, model, HOUR, HOUR + timedelta(days=1)) == ()
    with pytest.raises(InvalidName):
        await partitions(store, "acme/../x", "churn", HOUR, HOUR + timedelta(days=1))


async def test_hours_read_together(store: LocalArtifacts) -> None:
    """Hours read together keep their order, rows and digests."""
    for hours in range(3):
        at = HOUR + timedelta(hours=hours)
        await write_traffic(store, "acme", "churn", at, _log(at, rows=hours + 1))
    partition_list = await partitions(store, "acme", "churn", HOUR, HOUR + timedelta(hours=3))

    batch = await read_partitions(store, partition_list)

    assert [hour.rows for hour in batch.hours] == [1, 2, 3]
    assert len(batch.frame) == 6
    assert [hour.digest for hour in batch.hours] == [
        (await read_partition(store, item)).digest for item in partition_list
    ]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([1, 1, 1], [3]), ([6, 6, 6], [1, 1, 1]), ([99, 1, 1], [1, 2]), ([4, 5, 2], [2, 1]), ([], [])],
)
def test_batches(sizes: list[int], expected: list[int]) -> None:
    """Small hours go together up to a size; a large one goes alone."""
    hours = [Partition(HOUR + timedelta(hours=i), ("x",), size) for i, size in enumerate(sizes)]

    assert expected == [len(batch) for batch in batches(hours, most=10)]


def test_batches_end_with_the_day() -> None:
    """A batch holds hours of one day, so that one day's labels are enough for it."""
    hours = [Partition(HOUR + timedelta(hours=i), ("x",), 1) for i in range(48)]

    assert [len(batch) for batch in batches(hours)] == [19, 24, 5]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda log: log[:0], "is empty"),
        (lambda log: log.drop(columns="role"), "lacks the column role"),
        (lambda log: log.assign(role="king"), "role must be one of"),
        (lambda log: log.assign(request_id="same"), "one request_id a row"),
        (lambda log: log.assign(request_id=None), "one request_id a row"),
        (lambda log: log.assign(requested_at=HOUR + timedelta(hours=1)), "another hour"),
    ],
)
async def test_logs_that_cannot_be(
    store: LocalArtifacts, change: Callable[[pd.DataFrame], pd.DataFrame], problem: str
) -> None:
    """A log that the gate could not read is refused when it is written."""
    with pytest.raises(InvalidDataset, match=problem):
        await write_traffic(store, "acme", "churn", HOUR, change(_log()))

    assert await store.files("acme") == []


async def test_files_that_are_no_parquet(store: LocalArtifacts) -> None:
    """A broken file is an error that names the hour."""
    path = await write_traffic(store, "acme", "churn", HOUR, _log())
    await store.put_bytes(path, b"PAR1 no")
    (partition,) = await partitions(store, "acme", "churn", HOUR, HOUR + timedelta(hours=1))

    with pytest.raises(InvalidDataset, match="2024-03-01 05h"):
        await read_partition(store, partition)


async def test_columns_that_change_type(store: LocalArtifacts) -> None:
    """Hours whose columns are of different types are an error, not a guess."""
    await write_traffic(store, "acme", "churn", HOUR, _log())
    later = HOUR + timedelta(hours=1)
    await write_traffic(store, "acme", "churn", later, _log(later, distance="far"))
    hours = await partitions(store, "acme", "churn", HOUR, HOUR + timedelta(hours=2))

    with pytest.raises(InvalidDataset, match="columns differ"):
        await read_partitions(store, hours)


def test_days() -> None:
    """A date without a zone is UTC; another zone is turned into UTC; no date is an error."""
    assert parse_day("2024-03-01", "start") == datetime(2024, 3, 1, tzinfo=UTC)
    assert parse_day("2024-03-01T02:00+02:00", "start") == datetime(2024, 3, 1, tzinfo=UTC)
    for text in ("soon", "", None, "2024-13-01"):
        with pytest.raises(InvalidInput, match="ISO date"):
            parse_day(cast(Any, text), "start")


async def test_rows_of_the_window(store: LocalArtifacts) -> None:
    """A window in any zone holds the rows from its start up to its end, to the microsecond."""
    last = HOUR + timedelta(hours=1)
    times = [last - timedelta(microseconds=1), *(last + timedelta(minutes=m) for m in (29, 30))]
    await write_traffic(store, "acme", "churn", HOUR, _log(rows=60))
    path = await write_traffic(store, "acme", "churn", last, _log(last))
    late = pd.read_parquet(io.BytesIO(await store.get_bytes(path))).assign(requested_at=times)
    buffer = io.BytesIO()
    late.to_parquet(buffer)
    await store.put_bytes(path, buffer.getvalue())
    zone = timezone(timedelta(hours=5, minutes=30))
    start, end = (HOUR + timedelta(minutes=30)).astimezone(zone), last + timedelta(minutes=30)

    hours = await partitions(store, "acme", "churn", start, end)
    batch = await read_partitions(store, hours)

    assert [(hour.rows, hour.window_rows) for hour in batch.hours] == [(60, 30), (3, 2)]
    assert batch.frame["requested_at"].between(start, end, inclusive="left").all()
    assert batch.counts["outside_window"] == 31
    assert batch.counts["of_other_hours"] == 1


async def test_files_of_other_programs(store: LocalArtifacts) -> None:
    """Hidden files are skipped, deeper folders read, and a file in no hour is named."""
    path = await write_traffic(store, "acme", "churn", HOUR, _log())
    content, folder = await store.get_bytes(path), path.rpartition("/")[0]
    for name in (".part-00000.parquet", "_SUCCESS", "_temporary/0/part-00001.parquet"):
        await store.put_bytes(f"{folder}/{name}", b"crc")
    await store.put_bytes(f"{folder}/minute=30/part-00002.parquet", content)

    (hour,) = await partitions(store, "acme", "churn", HOUR, HOUR + timedelta(hours=1))
    await store.put_bytes(f"{folder.rpartition('/')[0]}/part-00000.parquet", content)

    assert len((await read_partition(store, hour)).frame) == 6
    with pytest.raises(InvalidDataset, match=r"part-00000.parquet is outside of an hour"):
        await partitions(store, "acme", "churn", HOUR, HOUR + timedelta(hours=1))


async def test_ids_of_two_types(store: LocalArtifacts) -> None:
    """Integer ids with a null beside them are the same ids as in the log, and rows without an id
    are left out and counted."""
    await write_traffic(store, "acme", "churn", HOUR, _log(request_id=[2**60, 2**60 + 1, 3]))
    labels = pa.table(
        {
            "request_id": pa.array([2**60 + 1, None, 3], pa.int64()),
            "label": [1, 1, None],
            "labelled_at": [HOUR] * 3,
        }
    )
    buffer = io.BytesIO()
    parquet.write_table(labels, buffer)
    await store.put_bytes(
        "acme/traffic/churn/labels/date=2024-03-01/part-00000.parquet", buffer.getvalue()
    )
    (hour,) = await partitions(store, "acme", "churn", HOUR, HOUR + timedelta(hours=1))

    requests = (await read_partitions(store, [hour])).frame
    read = await read_labels(store, "acme", "churn", HOUR)

    assert read is not None
    positions = pd.Index(read.keys).get_indexer(pd.Index(hash_request_ids(requests["request_id"])))
    assert positions.tolist() == [-1, 0, -1]
    assert read.left_out == {"labels_without_id": 1, "labels_without_value": 1}


@pytest.mark.parametrize(
    "value",
    [
        "2024-03-01T00:00:00+01:00",
        datetime(2024, 3, 1, tzinfo=timezone(timedelta(hours=1))),
        pendulum.datetime(2024, 3, 1, tz="Europe/Berlin"),
        pd.Timestamp("2024-03-01", tz="Europe/Berlin"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_time_zone_of_a_window_end_is_respected(value: str | datetime) -> None:
    """Whatever object says it, midnight in Berlin is an hour before UTC's."""
    assert parse_day(value, "start") == datetime(2024, 2, 29, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2024-03-01",
        date(2024, 3, 1),
        pendulum.date(2024, 3, 1),
        datetime(2024, 3, 1),  # noqa: DTZ001 - no zone is the point
        pd.Timestamp("2024-03-01"),
        np.datetime64("2024-03-01"),
        np.datetime64("2024-03-01T00:00:00", "ns"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_window_end_without_a_time_zone_is_utc(value: str | date | np.datetime64) -> None:
    """Dates and timestamps of any library mean UTC, as ISO text does."""
    at = parse_day(value, "start")

    assert (type(at), at) == (datetime, datetime(2024, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize("value", [None, 20240301, "soon", pd.NaT, np.datetime64("NaT"), ["2024"]])
def test_window_end_that_is_no_date_is_refused(value: Any) -> None:
    """The field is named, and what it may be."""
    with pytest.raises(InvalidInput, match=r"start .* is not a date or a timestamp"):
        parse_day(value, "start")
