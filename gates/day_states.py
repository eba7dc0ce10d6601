"""A day's sums on disk: what was read stays counted when a worker dies.

Beside the sums lie the keys of the requests seen, since a request may come twice on one day.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from model_lifecycle.registry.rules.canonical import digest
from model_lifecycle.registry.rules.errors import ArtifactNotFound

from .ports import Files
from .tally import Tally
from .traffic import Partition

if TYPE_CHECKING:
    from .request_keys import Keys


@dataclass
class Covered:
    """``covered`` says which hours are in a day's sums, and how their files looked; ``seen`` which
    requests."""

    identity: str
    labels: str = ""
    covered: dict[str, str] = field(default_factory=dict)
    seen: Keys = field(default_factory=lambda: np.empty(0, dtype=np.uint64))

    def missing(self, hours: Sequence[Partition]) -> list[Partition]:
        """The hours that are not in the sums yet."""
        return [hour for hour in hours if hour.name not in self.covered]

    def fits(self, identity: str, labels: str, hours: Sequence[Partition]) -> bool:
        """Whether the sums are of this test, and nothing that they cover has changed since."""
        now = {hour.name: looks_of(hour) for hour in hours}
        return (self.identity, self.labels) == (identity, labels) and all(
            now.get(name) == looks for name, looks in self.covered.items()
        )


@dataclass
class DayState(Covered):
    """A day of a shadow test."""

    tally: Tally = field(default_factory=Tally)


def looks_of(hour: Partition) -> str:
    """Names and size of the hour's files: what can be told without reading them."""
    return digest([list(hour.files), hour.size])


async def read_state(store: Files, folder: str, day: str) -> DayState | None:
    """The day's sums; None where there are none that can be used."""
    try:
        document = json.loads(await store.get_bytes(f"{_path(folder, day)}.json"))
        return _state(document, unpacked(await store.get_bytes(f"{_path(folder, day)}.npy")))
    except (ArtifactNotFound, ValueError, KeyError, TypeError, EOFError):
        return None


async def write_state(store: Files, folder: str, day: str, state: DayState) -> None:
    """The keys first: sums without them are not used, nor are keys of fewer sums harmful."""
    document = {
        "identity": state.identity,
        "labels": state.labels,
        "covered": state.covered,
        "seen": int(state.seen.size),
        "tally": state.tally.document(),
    }
    await store.put_bytes(f"{_path(folder, day)}.npy", packed(state.seen))
    content = json.dumps(document, allow_nan=False).encode()
    await store.put_bytes(f"{_path(folder, day)}.json", content)


def packed(seen: Keys) -> bytes:
    """Keys as the bytes of a ``.npy`` file."""
    buffer = io.BytesIO()
    np.save(buffer, seen, allow_pickle=False)
    return buffer.getvalue()


def unpacked(content: bytes) -> Keys:
    """What :func:`packed` made. Raises :class:`ValueError`."""
    seen = np.load(io.BytesIO(content), allow_pickle=False)
    if seen.dtype != np.uint64:
        raise ValueError("these are no keys of requests")
    return np.asarray(seen)


def _state(document: Mapping[str, Any], seen: Keys) -> DayState | None:
    if seen.size != document["seen"]:
        return None
    return DayState(
        document["identity"],
        document["labels"],
        dict(document["covered"]),
        seen,
        Tally.from_document(document["tally"]),
    )


def _path(folder: str, day: str) -> str:
    return f"{folder}/sums/{day}"
