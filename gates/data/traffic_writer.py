"""Write requests and labels in the traffic layout that :mod:`.traffic` reads.

Only the functions that need pandas import it.
"""

from __future__ import annotations

import asyncio
import io
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from model_lifecycle.registry.domain import artifact_paths, identifiers
from model_lifecycle.registry.domain.errors import InvalidDataset

from .labels import LABEL_COLUMNS
from .parquet import require_columns
from .traffic import REQUIRED_COLUMNS, ROLES, utc

if TYPE_CHECKING:
    import pandas as pd

    from ..protocols import ArtifactFiles


async def write_traffic(
    store: ArtifactFiles,
    tenant_id: str,
    model_id: str,
    hour: datetime,
    frame: pd.DataFrame,
    part: int = 0,
) -> str:
    """Write one hour of requests as part ``part`` of its partition; returns the path.

    Writing the same part again replaces it. ``frame`` has the feature columns and
    ``request_id``, ``requested_at`` (UTC), ``version``, ``role``, ``prediction``; ``score``,
    ``latency_ms`` and ``error`` are filled with nulls where they are missing. Raises
    :class:`InvalidDataset` when it is empty, lacks a column, or has rows of another hour.
    """
    tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
    at = utc(hour, "hour").replace(minute=0, second=0, microsecond=0)
    table = await asyncio.to_thread(_request_bytes, frame, at)
    path = f"{artifact_paths.traffic_partition(tenant, model, at)}/part-{part:05d}.parquet"
    await store.put_bytes(path, table)
    return path


async def write_labels(
    store: ArtifactFiles,
    tenant_id: str,
    model_id: str,
    day: datetime,
    frame: pd.DataFrame,
    part: int = 0,
) -> str:
    """Write labels of one day's requests: ``request_id``, ``label``, ``labelled_at``.

    ``day`` is the day of the requests, whenever the labels came; labels that come later go into
    further parts. Raises :class:`InvalidDataset`.
    """
    tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
    require_columns(frame.columns, LABEL_COLUMNS, "labels")
    data = await asyncio.to_thread(_parquet, frame[list(LABEL_COLUMNS)])
    folder = artifact_paths.labels_partition(tenant, model, utc(day, "day"))
    path = f"{folder}/part-{part:05d}.parquet"
    await store.put_bytes(path, data)
    return path


def _request_bytes(frame: pd.DataFrame, hour: datetime) -> bytes:
    import pandas as pd

    what = f"traffic of {hour:%Y-%m-%d %H}h"
    require_columns(frame.columns, REQUIRED_COLUMNS, what)
    if frame.empty:
        raise InvalidDataset(f"{what} is empty: there is nothing to write")
    at = pd.to_datetime(frame["requested_at"], utc=True)
    if not ((at >= hour) & (at < hour + timedelta(hours=1))).all():
        raise InvalidDataset(f"{what} has requests of another hour; write each hour separately")
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
