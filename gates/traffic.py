"""The traffic layout (design, section 9): what a serving system writes and the gates read.

One Parquet folder an hour for requests, one a day for the labels of that day's requests. Only
the functions that need pandas import it.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from model_lifecycle.registry.rules import paths, tenancy
from model_lifecycle.registry.rules.canonical import digest, digest_bytes
from model_lifecycle.registry.rules.errors import ArtifactNotFound, InvalidDataset, InvalidInput

if TYPE_CHECKING:
    import pandas as pd

    from .ports import Files

ROLES = ("champion", "challenger")
#: Columns of a request that are not features; a feature cannot have one of these names.
REQUEST_COLUMNS = (
    *("request_id", "requested_at", "version", "role"),
    *("prediction", "score", "latency_ms", "error"),
)
LABEL_COLUMNS = ("request_id", "label", "labelled_at")
_REQUIRED = ("request_id", "requested_at", "version", "role", "prediction")


@dataclass(frozen=True)
class Partition:
    """One hour (UTC) of requests: its files, relative to the artifact root."""

    hour: datetime
    files: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}h"


@dataclass(frozen=True)
class PartitionData:
    """Rows that were read, and the digest of the bytes they were read from."""

    frame: pd.DataFrame
    digest: str


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
    found: dict[datetime, list[str]] = {}
    day = first.replace(hour=0, minute=0, second=0, microsecond=0)
    while day < last:
        for path in await _parquet_files(store, f"{root}/date={day:%Y-%m-%d}"):
            hour = _hour(path, day)
            if hour is not None and first <= hour < last:
                found.setdefault(hour, []).append(path)
        day += timedelta(days=1)
    return tuple(Partition(hour, tuple(sorted(found[hour]))) for hour in sorted(found))


async def read_partition(store: Files, partition: Partition) -> PartitionData:
    """The requests of one hour. Raises :class:`InvalidDataset` when a required column is missing
    or the file is no Parquet."""
    data = await _read(store, partition.files, f"traffic of {partition.name}")
    _columns(data.frame, _REQUIRED, f"traffic of {partition.name}")
    return data


async def read_labels(
    store: Files, tenant_id: str, model_id: str, day: datetime
) -> PartitionData | None:
    """The labels of one day's requests, one row a request, the latest label; None if there are
    none yet. Raises :class:`InvalidDataset`."""
    tenant, model = tenancy.tenant_id(tenant_id), tenancy.model_id(model_id)
    files = await _parquet_files(store, paths.labels_partition(tenant, model, day))
    if not files:
        return None
    what = f"labels of {day:%Y-%m-%d}"
    data = await _read(store, files, what)
    _columns(data.frame, LABEL_COLUMNS, what)
    latest = (
        data.frame.dropna(subset=["request_id", "label"])
        .sort_values("labelled_at", kind="stable")
        .drop_duplicates("request_id", keep="last")
    )
    return PartitionData(latest, data.digest)


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


async def _parquet_files(store: Files, folder: str) -> list[str]:
    try:
        return sorted(f.path for f in await store.files(folder) if f.path.endswith(".parquet"))
    except ArtifactNotFound:
        return []


async def _read(store: Files, files: Sequence[str], what: str) -> PartitionData:
    contents = [await store.get_bytes(path) for path in files]
    frame = await asyncio.to_thread(frame_from_parquet, contents, what)
    return PartitionData(frame, digest([digest_bytes(content) for content in contents]))


def frame_from_parquet(contents: Sequence[bytes], what: str) -> pd.DataFrame:
    """The rows of Parquet files, one below the other. Raises :class:`InvalidDataset`."""
    import pandas as pd
    import pyarrow as pa

    try:
        frames = [pd.read_parquet(io.BytesIO(content)) for content in contents]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidDataset(f"{what} is not a readable Parquet file: {error!s:.200}") from error
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _request_bytes(frame: pd.DataFrame, hour: datetime) -> bytes:
    import pandas as pd

    what = f"traffic of {hour:%Y-%m-%d %H}h"
    _columns(frame, _REQUIRED, what)
    if frame.empty:
        raise InvalidDataset(f"{what} is empty: there is nothing to write")
    at = pd.to_datetime(frame["requested_at"], utc=True)
    if not ((at >= hour) & (at < hour + timedelta(hours=1))).all():
        raise InvalidDataset(f"{what} holds requests of another hour; write each to its own")
    if frame["request_id"].isna().any() or frame["request_id"].duplicated().any():
        raise InvalidDataset(f"{what} must have one request_id a row, none of them null or twice")
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
