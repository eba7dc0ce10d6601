"""A day's sums on disk: what was read stays counted when a worker dies.

Beside the sums lie the hashes of the requests seen, since a request may come twice on one day.
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
class DayState:
    """``covered`` says which hours are in the sums, and how their files looked."""

    identity: str
    labels: str = ""
    covered: dict[str, str] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
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


def looks_of(hour: Partition) -> str:
    """Names and size of the hour's files: what can be told without reading them."""
    return digest([list(hour.files), hour.size])


async def read_state(store: Files, folder: str, day: str) -> DayState | None:
    """The day's sums; None where there are none that can be used."""
    try:
        document = json.loads(await store.get_bytes(f"{_path(folder, day)}.json"))
        content = await store.get_bytes(f"{_path(folder, day)}.npy")
        return _state(document, content)
    except (ArtifactNotFound, ValueError, KeyError, TypeError, EOFError):
        return None


async def write_state(store: Files, folder: str, day: str, state: DayState) -> None:
    """The hashes first: sums without them are not used, nor are hashes of fewer sums harmful."""
    buffer = io.BytesIO()
    np.save(buffer, state.seen, allow_pickle=False)
    document = {
        "identity": state.identity,
        "labels": state.labels,
        "covered": state.covered,
        "seen": int(state.seen.size),
        "tally": state.tally.document(),
    }
    await store.put_bytes(f"{_path(folder, day)}.npy", buffer.getvalue())
    content = json.dumps(document, allow_nan=False).encode()
    await store.put_bytes(f"{_path(folder, day)}.json", content)


def _state(document: Mapping[str, Any], content: bytes) -> DayState | None:
    seen = np.load(io.BytesIO(content), allow_pickle=False)
    if seen.dtype != np.uint64 or seen.size != document["seen"]:
        return None
    return DayState(
        document["identity"],
        document["labels"],
        dict(document["covered"]),
        Tally.from_document(document["tally"]),
        seen,
    )


def _path(folder: str, day: str) -> str:
    return f"{folder}/sums/{day}"
