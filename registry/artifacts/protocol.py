"""The protocol of an artifact store, on a folder or on S3."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .checksums import Checksum

#: The store's name in :class:`~model_lifecycle.registry.domain.errors.BackendUnavailable`.
BACKEND = "artifact store"


@dataclass(frozen=True, order=True)
class StoredFile:
    """A stored file; ``path`` is relative to the root, ``size`` is in bytes.

    ``revision`` changes when the file is written or replaced, even with one of the same size and
    ETag, and nobody can set it: on S3 the ETag and the time of the last write, which the server
    gives; in a folder the inode and its times, of which the system sets the last one. It is no part
    of a file's value.
    """

    path: str
    size: int
    revision: str = field(default="", compare=False)


class ArtifactStore(Protocol):
    """Files by path below one root.

    Paths are relative, '/'-separated and plain; every method raises InvalidInput for others, and
    BackendUnavailable when the store does not answer. A file is written whole or not at all; a
    folder is written file by file.
    """

    #: Addresses of roots that the same files were below before; :meth:`path_of` knows them as well.
    former_roots: tuple[str, ...]

    def before_first_use(self, check: Callable[[], Awaitable[None]]) -> None:
        """Run ``check`` before the first call; calls raise what it raises until it has passed."""

    def uri(self, path: str) -> str:
        """The address of ``path`` for MLflow and for people. No I/O."""

    def path_of(self, uri: str) -> str | None:
        """The path that ``uri`` names, after unquoting; None when it is not below the root."""

    async def put_bytes(self, path: str, data: bytes, *, overwrite: bool = True) -> Checksum:
        """Write one file; its content. With ``overwrite=False``, of several writers exactly one
        succeeds and the others get AlreadyExists."""

    async def put_once(self, path: str, data: bytes) -> Checksum:
        """Write one file that is to stay as it is: of several writers exactly one succeeds and the
        others get AlreadyExists. A bucket with object lock keeps it for its retention period."""

    async def put_file(self, path: str, file: Path) -> Checksum:
        """Write one file from a local one, which is read once; the content of what was read and
        written. Compare it with :meth:`holding`."""

    async def put_folder(self, path: str, folder: Path) -> None:
        """Write every file of a local folder. Links in it are refused with InvalidInput."""

    async def get_bytes(self, path: str) -> bytes:
        """One file's content. Raises ArtifactNotFound."""

    async def get_folder(self, path: str, folder: Path) -> None:
        """Write every file below ``path`` into the local ``folder``. Raises ArtifactNotFound when
        there is none."""

    async def files(self, path: str) -> list[StoredFile]:
        """Every file below ``path``, sorted by path; empty when there is none."""

    async def copy_folder(
        self, source_path: str, target_path: str, *, without: Collection[str] = ()
    ) -> list[StoredFile]:
        """Copy every file below ``source_path`` within the store, without bytes passing through
        S3 clients; those whose path below it is in ``without`` stay. The files now below the
        target. Raises ArtifactNotFound when there is none."""

    async def delete_file(self, path: str) -> None:
        """Delete one file; absent is fine."""

    async def delete_folder(self, path: str) -> None:
        """Delete every file below ``path``; absent is fine."""

    async def content(self, path: str) -> Checksum:
        """The content of a stored file, from reading all of it. Raises ArtifactNotFound."""

    async def checksums(self, path: str, names: Collection[str]) -> dict[str, Checksum]:
        """The content of the files ``names`` below ``path``, from reading all of each; those that
        are not there are absent."""

    async def holds(self, path: str, content: Checksum) -> bool:
        """Whether ``path`` holds ``content``, by the cheapest proof the store has; False when
        there is no such file."""

    async def holding(self, path: str, expected: Mapping[str, Checksum]) -> set[str]:
        """Which of the files ``wanted``, by name below ``path``, hold what is wanted there; by the
        cheapest proof for many."""

    async def ping(self) -> None:
        """Return when the store answers; raise BackendUnavailable otherwise."""

    async def close(self) -> None:
        """Release connections."""
