"""Stored sums of a day, so that a worker that dies loses no hour that it has read.

The keys of the requests that were read are stored beside the sums, since a request may occur twice
on one day.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from model_lifecycle.registry.domain.canonical_json import digest
from model_lifecycle.registry.domain.errors import ArtifactNotFound

from ..aggregates.replay import ReplayAggregate
from ..data.pairing import Day
from ..data.parquet import files_digest, read_files
from ..data.traffic import LabelData, Partition, ReadHour
from ..protocols import ArtifactFiles
from .plan import TrafficPlan

if TYPE_CHECKING:
    from ..data.request_ids import Keys


@dataclass(frozen=True)
class CoveredHour:
    """An hour that is in a day's sums: the revision of its files, the digest of their bytes, and
    the plan's times where they decide which of its rows count."""

    revision: str
    digest: str
    times: str = ""


@dataclass
class Coverage:
    """``covered`` holds the hours in a day's sums by name; ``request_keys`` which requests.
    ``labels`` is the revision of the day's label files, ``labels_digest`` that of the labels of the
    requests read, ``left_out`` counts rows of the label files."""

    identity: str
    labels: str = ""
    covered: dict[str, CoveredHour] = field(default_factory=dict)
    request_keys: Keys = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    labels_digest: str = ""
    left_out: dict[str, int] = field(default_factory=dict)

    def missing(self, hours: Sequence[Partition]) -> list[Partition]:
        """The hours that are not in the sums yet."""
        return [hour for hour in hours if hour.name not in self.covered]

    async def fits(
        self, store: ArtifactFiles, plan: TrafficPlan, hours: Sequence[Partition]
    ) -> bool:
        """Whether the sums are of this test, and no file that they cover has changed since. A file
        that was written again is read; the same bytes are no change."""
        if self.identity != plan.identity:
            return False
        now = {hour.name: hour for hour in hours}
        for name, before in self.covered.items():
            hour = now.get(name)
            if hour is None or before.times not in ("", _times(plan)):
                return False
            if hour.revision != before.revision:
                if files_digest(await read_files(store, hour.files)) != before.digest:
                    return False
                self.covered[name] = replace(before, revision=hour.revision)
        return True

    def cover(
        self, plan: TrafficPlan, hours: Sequence[Partition], read: Sequence[ReadHour]
    ) -> None:
        """The hours are in the sums. An hour of which rows were left out, or may have been too
        young, is read again when the plan's times are others."""
        mature_until = datetime.fromisoformat(plan.mature_until)
        for hour, rows in zip(hours, read, strict=True):
            cut = rows.window_rows != rows.rows or hour.hour + timedelta(hours=1) > mature_until
            times = _times(plan) if cut else ""
            self.covered[hour.name] = CoveredHour(hour.revision, rows.digest, times)

    def note_labels(self, revision: str, known: Day, labels: LabelData | None) -> None:
        """The sums are of these labels."""
        self.labels, self.labels_digest = revision, known.labels_digest()
        self.left_out = {} if labels is None else dict(labels.left_out)

    def coverage_document(self) -> dict[str, Any]:
        """All but ``request_keys`` as plain JSON; of that, the number."""
        return {
            "identity": self.identity,
            "labels": self.labels,
            "covered": {name: asdict(hour) for name, hour in self.covered.items()},
            "seen": int(self.request_keys.size),
            "labels_digest": self.labels_digest,
            "left_out": self.left_out,
        }


@dataclass
class DayState(Coverage):
    """A day of a shadow test. ``operation_id`` is that of the task that began the sums."""

    aggregate: ReplayAggregate = field(default_factory=ReplayAggregate)
    operation_id: str | None = None


def covered_hours(document: Mapping[str, Any]) -> dict[str, CoveredHour]:
    """The covered hours of a document."""
    return {name: CoveredHour(**hour) for name, hour in document["covered"].items()}


def _times(plan: TrafficPlan) -> str:
    return digest([plan.start, plan.end, plan.mature_until])


async def read_state(store: ArtifactFiles, folder: str, day: str) -> DayState | None:
    """The day's sums; None where there are none that can be used."""
    try:
        document = json.loads(await store.get_bytes(f"{_path(folder, day)}.json"))
        return _state(document, unpacked(await store.get_bytes(f"{_path(folder, day)}.npy")))
    except (ArtifactNotFound, ValueError, KeyError, TypeError, EOFError):
        return None


async def write_state(store: ArtifactFiles, folder: str, day: str, state: DayState) -> None:
    """The keys first: sums without them are not used, nor are keys of fewer sums harmful."""
    document = {
        **state.coverage_document(),
        "operation_id": state.operation_id,
        "tally": state.aggregate.document(),
    }
    await store.put_bytes(f"{_path(folder, day)}.npy", packed(state.request_keys))
    content = json.dumps(document, allow_nan=False).encode()
    await store.put_bytes(f"{_path(folder, day)}.json", content)


def packed(request_keys: Keys) -> bytes:
    """Keys as the bytes of a ``.npy`` file."""
    buffer = io.BytesIO()
    np.save(buffer, request_keys, allow_pickle=False)
    return buffer.getvalue()


def unpacked(content: bytes) -> Keys:
    """The keys in the bytes that :func:`packed` returned. Raises :class:`ValueError`."""
    request_keys = np.load(io.BytesIO(content), allow_pickle=False)
    if request_keys.dtype != np.uint64:
        raise ValueError("the array is not one of request keys")
    return np.asarray(request_keys)


def _state(document: Mapping[str, Any], request_keys: Keys) -> DayState | None:
    if request_keys.size != document["seen"]:
        return None
    return DayState(
        document["identity"],
        document["labels"],
        covered_hours(document),
        request_keys,
        document["labels_digest"],
        dict(document["left_out"]),
        ReplayAggregate.from_document(document["tally"]),
        document.get("operation_id"),
    )


def _path(folder: str, day: str) -> str:
    return f"{folder}/sums/{day}"
