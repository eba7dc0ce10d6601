"""Labels of requests: what came of them, read a day at a time, the latest label of each request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain import artifact_paths, identifiers

from .arrow_columns import id_texts, utc_timestamps
from .parquet import (
    StoredBytes,
    data_files,
    files_digest,
    read_files,
    read_table,
    require_columns,
    revision_of,
    to_frame,
)
from .request_ids import hash_request_ids

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from ..protocols import ArtifactFiles
    from .parquet import Conversion
    from .request_ids import Keys

LABEL_COLUMNS = ("request_id", "label", "labelled_at")
_TYPES: Mapping[str, Conversion] = {"request_id": id_texts, "labelled_at": utc_timestamps}


@dataclass(frozen=True)
class LabelData:
    """Labels of one day, one row a request: with the key of each row's request, whether the request
    has other labels too, and counts of rows that were left out."""

    frame: pd.DataFrame
    digest: str
    keys: Keys
    conflicting: NDArray[np.bool_]
    left_out: Mapping[str, int] = field(default_factory=dict)


async def read_labels(
    store: ArtifactFiles,
    tenant_id: str,
    model_id: str,
    day: datetime,
    *,
    thread: Executor | None = None,
) -> LabelData | None:
    """The labels of one day's requests, one row a request, the latest label; None if there are
    none yet. Decoded like requests. Raises :class:`InvalidDataset`."""
    tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
    files = await data_files(store, artifact_paths.labels_partition(tenant, model, day))
    if not files:
        return None
    contents = await read_files(store, [file.path for file in files])
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(thread, _labels, f"labels of {day:%Y-%m-%d}", contents)


async def labels_look(store: ArtifactFiles, tenant_id: str, model_id: str, day: datetime) -> str:
    """The revision of the day's label files: what is known without reading them."""
    tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
    return revision_of(await data_files(store, artifact_paths.labels_partition(tenant, model, day)))


def _labels(what: str, contents: Sequence[StoredBytes]) -> LabelData:
    import pandas as pd

    table = read_table(contents, what, _TYPES)
    require_columns(table.column_names, LABEL_COLUMNS, what)
    frame = to_frame(table.select(LABEL_COLUMNS), what)
    left_out = {
        "labels_without_id": int(frame["request_id"].isna().sum()),
        "labels_without_value": int(frame["label"].isna().sum()),
    }
    known = frame.dropna(subset=["request_id", "label"])
    if not known["labelled_at"].is_monotonic_increasing:
        # One without a time is not known to be the latest.
        known = known.sort_values("labelled_at", kind="stable", na_position="first")
    keys = hash_request_ids(known["request_id"])
    repeated = pd.Series(keys).duplicated(keep="last").to_numpy()
    conflicting = _conflicting(keys, known["label"], repeated)
    latest = ~repeated
    return LabelData(
        known[latest], files_digest(contents), keys[latest], conflicting[latest], left_out
    )


def _conflicting(keys: Keys, labels: pd.Series[Any], repeated: NDArray[np.bool_]) -> Any:
    """Which rows are of requests with more than one label that are not all the same."""
    import numpy as np
    import pandas as pd

    if not repeated.any():
        return np.zeros(keys.size, dtype=bool)
    codes, _ = pd.factorize(labels.to_numpy())
    groups = pd.Series(codes).groupby(keys)
    return np.asarray(groups.transform("min") != groups.transform("max"))
