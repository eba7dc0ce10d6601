"""Reading a held-out data set: a local Parquet file, or one below the artifact root."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from model_lifecycle.registry.rules.canonical import digest_bytes
from model_lifecycle.registry.rules.errors import ArtifactNotFound, InvalidInput

from .parquet_tables import frame_from_parquet

if TYPE_CHECKING:
    import pandas as pd

    from .ports import Files


@dataclass(frozen=True)
class Dataset:
    """Rows, and the digest of the file they are from."""

    frame: pd.DataFrame
    digest: str


async def read_dataset(store: Files, address: str) -> Dataset:
    """The Parquet file at ``address``: an address below the artifact root, a path, or ``file:``.

    Raises ArtifactNotFound when there is none, InvalidInput for an address elsewhere, and
    InvalidDataset for a file that is no Parquet.
    """
    if not isinstance(address, str) or not address or "\0" in address:
        raise InvalidInput(f"data must be a path or address, not {address!r:.80}", field="data")
    path = store.path_of(address)
    if path is not None:
        content = await store.get_bytes(path)
    else:
        content = await asyncio.to_thread(_local, address)
    frame = await asyncio.to_thread(frame_from_parquet, [content], "the data set")
    return Dataset(frame, digest_bytes(content))


def _local(address: str) -> bytes:
    parts = urlsplit(address)
    if parts.scheme not in ("", "file"):
        raise InvalidInput(
            f"data {address!r:.200} is not below the artifact root; copy it there, or give a "
            "local file",
            field="data",
        )
    try:
        return Path(unquote(parts.path) if parts.scheme else address).read_bytes()
    except OSError as error:
        raise ArtifactNotFound(f"{address} ({error.strerror})") from error
