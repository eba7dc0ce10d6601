"""The traffic layout (design, section 9): what a serving system writes and the gates read.

One Parquet folder an hour for requests, one a day for the labels of that day's requests. Only
the functions that need pandas import it.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from model_lifecycle.registry.rules import paths, tenancy
from model_lifecycle.registry.rules.canonical import digest, digest_bytes
from model_lifecycle.registry.rules.errors import InvalidDataset, InvalidInput
from model_lifecycle.registry.together import together

from .request_keys import request_keys

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from .ports import Files, StoredFile
    from .request_keys import Keys

ROLES = ("champion", "challenger")
#: Columns of a request that are not features; a feature cannot have one of these names.
REQUEST_COLUMNS = (
    *("request_id", "requested_at", "version", "role"),
    *("prediction", "score", "latency_ms", "error"),
)
LABEL_COLUMNS = ("request_id", "label", "labelled_at")
_REQUIRED = ("request_id", "requested_at", "version", "role", "prediction")


#: Small hours are read and replayed together, up to so many stored bytes, since a model takes
#: about as long for ten requests as for a thousand, and is asked some times a batch.
BATCH_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Partition:
    """One hour (UTC) of requests: its files, relative to the artifact root, of ``size`` bytes."""

    hour: datetime
    files: tuple[str, ...]
    size: int

    @property
    def name(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}h"


@dataclass(frozen=True)
class PartitionData:
    """Rows that were read, and the digest of the bytes they were read from."""

    frame: pd.DataFrame
    digest: str


@dataclass(frozen=True)
class LabelData(PartitionData):
    """Labels of one day, with the key of each row's request."""

    keys: Keys


@dataclass(frozen=True)
class ReadHour:
    """An hour that was read: its rows, and the digest of its bytes."""

    name: str
    hour: datetime
    digest: str
    rows: int


@dataclass(frozen=True)
class Batch:
    """The rows of consecutive hours, in the order of ``hours``, numbered from 0."""

    name: str
    frame: pd.DataFrame
    hours: tuple[ReadHour, ...]


async def write_traffic(
    store: Files, tenant_id: str, model_id: str, hour: datetime, frame: pd.DataFrame, part: int = 0
) -> str:
    """Write one hour of requests as part ``part`` of its partition; returns the path.

    Writing the same part again replaces it. ``frame`` has the feature columns and
    ``request_id``, ``requested_at`` (UTC), ``version``, ``role``, ``prediction``; ``score``,
    ``latency_ms`` and ``error`` are filled with nulls where they are missing. Raises
    :class:`InvalidDataset` when it is empty, lacks a column, or holds rows of another hour.
    """
    tenant, model = tenancy.tenant_id(tenant_id), tenancy.model_id(model_id)
    at = _utc(hour, "hour").replace(minute=0, second=0, microsecond=0)
    table = await asyncio.to_thread(_request_bytes, frame, at)
    path = f"{paths.traffic_partition(tenant, model, at)}/part-{part:05d}.parquet"
    await store.put_bytes(path, table)
    return path


async def write_labels(
    store: Files, tenant_id: str, model_id: str, day: datetime, frame: pd.DataFrame, part: int = 0
) -> str:
    """Write labels of one day's requests: ``request_id``, ``label``, ``labelled_at``.

    ``day`` is the day of the requests, whenever the labels came; labels that come later go into
    further parts. Raises :class:`InvalidDataset`.
    """
    tenant, model = tenancy.tenant_id(tenant_id), tenancy.model_id(model_id)
    _columns(frame, LABEL_COLUMNS, "labels")
    data = await asyncio.to_thread(_parquet, frame[list(LABEL_COLUMNS)])
    folder = paths.labels_partition(tenant, model, _utc(day, "day"))
    path = f"{folder}/part-{part:05d}.parquet"
    await store.put_bytes(path, data)
    return path


async def partitions(
    store: Files, tenant_id: str, model_id: str, start: datetime, end: datetime
) -> tuple[Partition, ...]:
    """The hours of ``[start, end)`` for which there is traffic, in order; lists a day at a time."""
    root = paths.traffic(tenancy.tenant_id(tenant_id), tenancy.model_id(model_id))
    first, last = _utc(start, "start"), _utc(end, "end")
    found: dict[datetime, list[StoredFile]] = {}
    day = first.replace(hour=0, minute=0, second=0, microsecond=0)
    while day < last:
        for file in await _parquet_files(store, f"{root}/date={day:%Y-%m-%d}"):
            hour = _hour(file.path, day)
            if hour is not None and first <= hour < last:
                found.setdefault(hour, []).append(file)
        day += timedelta(days=1)
    return tuple(
        Partition(hour, tuple(file.path for file in files), sum(file.size for file in files))
        for hour, files in sorted(found.items())
    )


def batches(hours: Iterable[Partition], *, most: int = BATCH_BYTES) -> Iterator[list[Partition]]:
    """Consecutive hours of one day, together at most ``most`` bytes, or a single larger one."""
    batch: list[Partition] = []
    for hour in hours:
        fits = sum(member.size for member in batch) + hour.size <= most
        if batch and not (fits and batch[0].hour.date() == hour.hour.date()):
            yield batch
            batch = []
        batch.append(hour)
    if batch:
        yield batch


async def read_partitions(
    store: Files, hours: Sequence[Partition], *, thread: Executor | None = None
) -> Batch:
    """The requests of some hours, decoded in ``thread``, else in any. Raises
    :class:`InvalidDataset`, naming the hours, when a required column is missing or a file is no
    Parquet."""
    what = f"traffic of {hours[0].name}"
    if len(hours) > 1:
        what += f" to {hours[-1].name}"
    contents = await together(*(_contents(store, hour.files) for hour in hours))
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(thread, _batch, what, hours, contents)


async def read_partition(store: Files, partition: Partition) -> PartitionData:
    """The requests of one hour. Raises :class:`InvalidDataset` when a required column is missing
    or the file is no Parquet."""
    batch = await read_partitions(store, [partition])
    return PartitionData(batch.frame, batch.hours[0].digest)


async def read_labels(
    store: Files, tenant_id: str, model_id: str, day: datetime, *, thread: Executor | None = None
) -> LabelData | None:
    """The labels of one day's requests, one row a request, the latest label; None if there are
    none yet. Decoded like requests. Raises :class:`InvalidDataset`."""
    tenant, model = tenancy.tenant_id(tenant_id), tenancy.model_id(model_id)
    files = await _parquet_files(store, paths.labels_partition(tenant, model, day))
    if not files:
        return None
    contents = await _contents(store, [file.path for file in files])
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(thread, _labels, f"labels of {day:%Y-%m-%d}", contents)


async def labels_look(store: Files, tenant_id: str, model_id: str, day: datetime) -> str:
    """Names and sizes of the day's label files: what can be told without reading them."""
    tenant, model = tenancy.tenant_id(tenant_id), tenancy.model_id(model_id)
    files = await _parquet_files(store, paths.labels_partition(tenant, model, day))
    return digest([[file.path, file.size] for file in files])


def parse_day(text: str, field: str) -> datetime:
    """An ISO date or timestamp as UTC; without a zone it is UTC. Raises :class:`InvalidInput`."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise InvalidInput(
            f"{field} {text!r:.80} is not an ISO date, such as 2013-07-01", field=field
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _utc(at: datetime, field: str) -> datetime:
    if not isinstance(at, datetime):
        raise InvalidInput(f"{field} must be a datetime, not {at!r:.80}", field=field)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _hour(path: str, day: datetime) -> datetime | None:
    name = path.split("/")[-2]
    text = name.removeprefix("hour=")
    if text == name or not (text.isascii() and text.isdigit() and int(text) < 24):
        return None
    return day + timedelta(hours=int(text))


async def _parquet_files(store: Files, folder: str) -> list[StoredFile]:
    found = [file for file in await store.files(folder) if file.path.endswith(".parquet")]
    return sorted(found, key=lambda file: file.path)


async def _contents(store: Files, paths: Sequence[str]) -> list[bytes]:
    return [await store.get_bytes(path) for path in paths]


def _digest(contents: Sequence[bytes]) -> str:
    return digest([digest_bytes(content) for content in contents])


def _batch(what: str, hours: Sequence[Partition], contents: Sequence[list[bytes]]) -> Batch:
    tables = [_table(content, what) for content in contents]
    frame = _frame(tables, what)
    _columns(frame, _REQUIRED, what)
    read = [
        ReadHour(hour.name, hour.hour, _digest(content), table.num_rows)
        for hour, content, table in zip(hours, contents, tables, strict=True)
    ]
    return Batch(what, frame, tuple(read))


def _labels(what: str, contents: Sequence[bytes]) -> LabelData:
    import pandas as pd

    frame = frame_from_parquet(contents, what)
    _columns(frame, LABEL_COLUMNS, what)
    known = frame.dropna(subset=["request_id", "label"])
    if not known["labelled_at"].is_monotonic_increasing:
        known = known.sort_values("labelled_at", kind="stable")
    keys = request_keys(known["request_id"])
    latest = ~pd.Series(keys).duplicated(keep="last").to_numpy()
    return LabelData(known[latest], _digest(contents), keys[latest])


def frame_from_parquet(contents: Sequence[bytes], what: str) -> pd.DataFrame:
    """The rows of Parquet files, one below the other. Raises :class:`InvalidDataset`."""
    return _frame([_table(contents, what)], what)


def _table(contents: Sequence[bytes], what: str) -> pa.Table:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        tables = [parquet.read_table(pa.BufferReader(content)) for content in contents]
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidDataset(f"{what} is not readable as Parquet: {error!s:.200}") from error


def _frame(tables: Sequence[pa.Table], what: str) -> pd.DataFrame:
    import pyarrow as pa

    try:
        return pa.concat_tables(tables, promote_options="permissive").to_pandas()
    except (pa.ArrowException, ValueError) as error:
        raise InvalidDataset(
            f"{what} cannot be read as one table, its columns differ: {error!s:.200}"
        ) from error


def _request_bytes(frame: pd.DataFrame, hour: datetime) -> bytes:
    import pandas as pd

    what = f"traffic of {hour:%Y-%m-%d %H}h"
    _columns(frame, _REQUIRED, what)
    if frame.empty:
        raise InvalidDataset(f"{what} is empty: there is nothing to write")
    at = pd.to_datetime(frame["requested_at"], utc=True)
    if not ((at >= hour) & (at < hour + timedelta(hours=1))).all():
        raise InvalidDataset(f"{what} holds requests of another hour; write each to its own")
    twice = frame.duplicated(["request_id", "role"]).any()
    if frame["request_id"].isna().any() or twice:
        raise InvalidDataset(
            f"{what} must have one request_id a row, none of them null or twice in one role"
        )
    if not frame["role"].isin(ROLES).all():
        raise InvalidDataset(f"{what}: role must be one of {', '.join(ROLES)}")
    filled = frame.assign(
        requested_at=at,
        request_id=frame["request_id"].astype(str),
        version=frame["version"].astype("int64"),
        **{
            name: pd.Series([None] * len(frame), index=frame.index, dtype=kind)
            for name, kind in (("score", "float64"), ("latency_ms", "float64"), ("error", "str"))
            if name not in frame
        },
    )
    return _parquet(filled)


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _columns(frame: pd.DataFrame, names: Sequence[str], what: str) -> None:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InvalidDataset(f"{what} lacks the column {', '.join(missing)}")
