"""The traffic layout (design, section 9): what a serving system writes and the gates read.

One Parquet folder an hour for requests, one a day for the labels of that day's requests. Only
the functions that need pandas import it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from model_lifecycle.registry.concurrency import run_concurrently
from model_lifecycle.registry.domain import artifact_paths, identifiers
from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput

from .arrow_columns import id_texts, integers, utc_timestamps
from .labels import LABEL_COLUMNS, LabelData, labels_look, read_labels
from .parquet import (
    StoredBytes,
    concat_tables,
    data_files,
    files_digest,
    read_files,
    read_table,
    require_columns,
    revision_of,
    to_frame,
)
from .window_rows import rows_in_window

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ..protocols import ArtifactFiles, StoredFile
    from .parquet import Conversion

__all__ = [
    "LABEL_COLUMNS",
    "REQUEST_COLUMNS",
    "ROLES",
    "Batch",
    "LabelData",
    "Partition",
    "PartitionData",
    "ReadHour",
    "batches",
    "labels_look",
    "parse_day",
    "partitions",
    "read_labels",
    "read_partition",
    "read_partitions",
]

ROLES = ("champion", "challenger")
#: Columns of a request that are not features; a feature cannot have one of these names.
REQUEST_COLUMNS = (
    *("request_id", "requested_at", "version", "role"),
    *("prediction", "score", "latency_ms", "error"),
)
REQUIRED_COLUMNS = ("request_id", "requested_at", "version", "role", "prediction")

#: Small hours are read and replayed together, up to so many stored bytes, since a model takes
#: about as long for ten requests as for a thousand, and is called some times a batch.
BATCH_BYTES = 16 * 2**20


#: How a column of requests is converted before anything is compared.
_REQUEST_TYPES: Mapping[str, Conversion] = {
    "request_id": id_texts,
    "requested_at": utc_timestamps,
    "version": integers,
    "role": id_texts,
}


@dataclass(frozen=True)
class Partition:
    """One hour (UTC) of requests: its files, relative to the artifact root, of ``size`` bytes.

    ``revision`` changes when one of the files is replaced. Requests before ``start`` or not before
    ``end`` are outside of the window; None for no limit.
    """

    hour: datetime
    files: tuple[str, ...]
    size: int
    revision: str = ""
    start: datetime | None = None
    end: datetime | None = None

    @property
    def name(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}h"


@dataclass(frozen=True)
class PartitionData:
    """Rows that were read, and the digest of the bytes they were read from."""

    frame: pd.DataFrame
    digest: str


@dataclass(frozen=True)
class ReadHour:
    """An hour that was read: the digest of its bytes, the ``rows`` in its files, and how many of
    them were ``window_rows``."""

    name: str
    hour: datetime
    digest: str
    rows: int
    window_rows: int


@dataclass(frozen=True)
class Batch:
    """The rows of consecutive hours, in the order of ``hours``, numbered from 0. ``counts``
    are of rows that were left out, by what they lack, and of those filed under another hour."""

    name: str
    frame: pd.DataFrame
    hours: tuple[ReadHour, ...]
    counts: Mapping[str, int] = field(default_factory=dict)


async def partitions(
    store: ArtifactFiles, tenant_id: str, model_id: str, start: datetime, end: datetime
) -> tuple[Partition, ...]:
    """The hours that ``[start, end)`` touches and for which there is traffic, in order; lists a
    day at a time. Raises :class:`InvalidDataset` for a file outside of an hour's folder."""
    root = artifact_paths.traffic(identifiers.tenant_id(tenant_id), identifiers.model_id(model_id))
    first, last = utc(start, "start"), utc(end, "end")
    files_by_hour: dict[datetime, list[StoredFile]] = {}
    day = first.replace(hour=0, minute=0, second=0, microsecond=0)
    while day < last:
        folder = f"{root}/date={day:%Y-%m-%d}"
        for file in await data_files(store, folder):
            hour = day + timedelta(hours=_hour_of(file.path, folder))
            if hour < last and first < hour + timedelta(hours=1):
                files_by_hour.setdefault(hour, []).append(file)
        day += timedelta(days=1)
    return tuple(
        Partition(
            hour,
            tuple(file.path for file in files),
            sum(file.size for file in files),
            revision_of(files),
            first,
            last,
        )
        for hour, files in sorted(files_by_hour.items())
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
    store: ArtifactFiles,
    hours: Sequence[Partition],
    *,
    ids: Sequence[str] = (),
    thread: Executor | None = None,
) -> Batch:
    """The requests of some hours, decoded in ``thread``, else in any. ``ids`` name further columns
    of ids: units, clusters. Raises :class:`InvalidDataset`, naming the hours and the file, when a
    required column is missing or a file is no Parquet."""
    what = f"traffic of {hours[0].name}"
    if len(hours) > 1:
        what += f" to {hours[-1].name}"
    types = {**dict.fromkeys(ids, id_texts), **_REQUEST_TYPES}
    contents = await run_concurrently(*(read_files(store, hour.files) for hour in hours))
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(thread, _batch, what, hours, contents, types)


async def read_partition(store: ArtifactFiles, partition: Partition) -> PartitionData:
    """The requests of one hour. Raises :class:`InvalidDataset` when a required column is missing
    or the file is no Parquet."""
    batch = await read_partitions(store, [partition])
    return PartitionData(batch.frame, batch.hours[0].digest)


def parse_day(value: str | date | np.datetime64, field: str) -> datetime:
    """A date or timestamp as UTC: ISO text, or any object that is one, as templates give them that
    are rendered to native objects. Without a zone it is UTC. Raises :class:`InvalidInput`."""
    try:
        at = _timestamp(value)
    except (TypeError, ValueError):
        raise InvalidInput(
            f"{field} {value!r:.80} is not a date or a timestamp, such as 2013-07-01 (an ISO date)",
            field=field,
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _timestamp(value: object) -> datetime:
    if not isinstance(value, str | date):
        import numpy as np

        if isinstance(value, np.datetime64):
            value = value.astype("datetime64[us]").item()
    if isinstance(value, datetime):
        # Of pandas and pendulum too; what is not equal to itself is pandas's NaT.
        if value != value:
            raise ValueError
        return datetime.combine(value.date(), value.timetz())
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the caller adds UTC
    if not isinstance(value, str):
        raise TypeError
    return datetime.fromisoformat(value.strip())


def utc(at: datetime, field: str) -> datetime:
    if not isinstance(at, datetime):
        raise InvalidInput(f"{field} must be a datetime, not {at!r:.80}", field=field)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _hour_of(path: str, folder: str) -> int:
    """The hour of a file below the day's ``folder``."""
    name = path.removeprefix(f"{folder}/").split("/")[0]
    text = name.removeprefix("hour=")
    if text == name or not (text.isascii() and text.isdigit() and int(text) < 24):
        raise InvalidDataset(
            f"{path} is outside of an hour's folder: requests belong in {folder}/hour=00/ to "
            "hour=23/; move the file, or give it a name that begins with '_'",
            field="traffic",
        )
    return int(text)


def _batch(
    what: str,
    hours: Sequence[Partition],
    contents: Sequence[list[StoredBytes]],
    types: Mapping[str, Conversion],
) -> Batch:
    read, tables, counts = [], [], Counter[str]()
    for hour, content in zip(hours, contents, strict=True):
        table = read_table(content, f"traffic of {hour.name}", types)
        require_columns(table.column_names, REQUIRED_COLUMNS, f"traffic of {hour.name}")
        window_rows = rows_in_window(table, hour.hour, (hour.start, hour.end), counts)
        tables.append((hour.files[0], window_rows))
        read.append(
            ReadHour(
                hour.name, hour.hour, files_digest(content), table.num_rows, window_rows.num_rows
            )
        )
    return Batch(what, to_frame(concat_tables(tables, what), what), tuple(read), counts)
