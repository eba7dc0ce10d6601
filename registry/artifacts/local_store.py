"""An artifact store in a local folder."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from model_lifecycle.registry.concurrency import FirstUse, run_concurrently
from model_lifecycle.registry.domain.errors import (
    ArtifactNotFound,
    BackendUnavailable,
    InvalidInput,
)

from .checksums import (
    Checksum,
    HashingReader,
    checksum_of_parts,
    content_of_parts,
    folder_files,
    parts,
)
from .confined_directory import ConfinedDirectory
from .protocol import BACKEND, StoredFile
from .uris import checked_path, former_path, local_path, local_root, path_below

Result = TypeVar("Result")

#: Threads that read the files of one folder.
_READERS = 2


class LocalArtifacts:
    """Files below the folder ``root`` (a path or ``file:`` URI), made at the first write.

    No link below the root is followed. Constructing does no I/O.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = local_root(root)
        self._enclosure = ConfinedDirectory(self.root)
        self.former_roots: tuple[str, ...] = ()
        self._first_use: FirstUse | None = None

    def before_first_use(self, check: Callable[[], Awaitable[None]]) -> None:
        self._first_use = FirstUse(check)

    def __repr__(self) -> str:
        return f"LocalArtifacts({str(self.root)!r})"

    def uri(self, path: str) -> str:
        return (self.root / checked_path(path)).as_uri()

    def path_of(self, uri: str) -> str | None:
        path = local_path(uri)
        if path is None:
            return former_path(uri, self.former_roots)
        # MLflow may tell the root by its real name where ours goes through a link.
        roots = (str(self.root), os.path.realpath(self.root))
        candidates = (path_below(path, root) for root in roots)
        below = next((item for item in candidates if item is not None), None)
        return below or former_path(Path(path).as_uri(), self.former_roots)

    async def put_bytes(self, path: str, data: bytes, *, overwrite: bool = True) -> Checksum:
        return await self._call(path, lambda: self._write(path, [data], overwrite=overwrite))

    async def put_once(self, path: str, data: bytes) -> Checksum:
        return await self.put_bytes(path, data, overwrite=False)

    async def put_file(self, path: str, file: Path) -> Checksum:
        return await self._call(path, lambda: self._put(path, file))

    async def put_folder(self, path: str, folder: Path) -> None:
        def put() -> None:
            for name, file in folder_files(folder).items():
                self._put(f"{path}/{name}", file)

        checked_path(path)
        await self._call(path, put)

    async def get_bytes(self, path: str) -> bytes:
        def read() -> bytes:
            with self._enclosure.open(path) as stream:
                return stream.read()

        return await self._call(path, read)

    async def get_folder(self, path: str, folder: Path) -> None:
        def get() -> None:
            for name, *_ in self._existing(path):
                target = folder / name.removeprefix(f"{path}/")
                target.parent.mkdir(parents=True, exist_ok=True)
                with self._enclosure.open(name) as stream, target.open("wb") as out:
                    out.writelines(parts(stream))

        await self._call(path, get)

    async def files(self, path: str) -> list[StoredFile]:
        entries = await self._call(path, lambda: self._enclosure.walk(path))
        return sorted(StoredFile(*item) for item in entries)

    async def copy_folder(
        self, source_path: str, target_path: str, *, without: Collection[str] = ()
    ) -> list[StoredFile]:
        def copy() -> None:
            for name, *_ in self._existing(source_path):
                below = name.removeprefix(f"{source_path}/")
                if below not in without:
                    with self._enclosure.open(name) as stream:
                        self._enclosure.write(f"{target_path}/{below}", parts(stream))

        checked_path(target_path)
        await self._call(source_path, copy)
        return await self.files(target_path)

    async def delete_file(self, path: str) -> None:
        with contextlib.suppress(ArtifactNotFound):
            await self._call(path, lambda: self._enclosure.remove_file(path))

    async def delete_folder(self, path: str) -> None:
        with contextlib.suppress(ArtifactNotFound):
            await self._call(path, lambda: self._enclosure.remove_folder(path))

    async def content(self, path: str) -> Checksum:
        def read() -> Checksum:
            with self._enclosure.open(path) as stream:
                return content_of_parts(parts(stream))

        return await self._call(path, read)

    async def checksums(self, path: str, names: Collection[str]) -> dict[str, Checksum]:
        """In a few threads: handing one file over to a thread takes longer than reading a small
        one."""

        def read(share: Collection[str]) -> dict[str, Checksum]:
            contents = {}
            for name in share:
                with (
                    contextlib.suppress(ArtifactNotFound),
                    _translated(name),
                    self._enclosure.open(f"{path}/{name}") as stream,
                ):
                    contents[name] = checksum_of_parts(parts(stream))
            return contents

        ordered = sorted(names)
        shares = await run_concurrently(
            *(
                self._call(path, partial(read, ordered[start::_READERS]))
                for start in range(min(_READERS, len(ordered)))
            )
        )
        return {name: content for share in shares for name, content in share.items()}

    async def holds(self, path: str, content: Checksum) -> bool:
        try:
            return await self.content(path) == content
        except ArtifactNotFound:
            return False

    async def holding(self, path: str, expected: Mapping[str, Checksum]) -> set[str]:
        return {
            name
            for name, content in expected.items()
            if await self.holds(f"{path}/{name}", content)
        }

    async def ping(self) -> None:
        await self._call("", self._enclosure.check)

    async def close(self) -> None:
        return None

    async def _call(self, path: str, work: Callable[[], Result]) -> Result:
        if self._first_use is not None:
            await self._first_use()
        with _translated(path):
            return await asyncio.to_thread(work)

    def _put(self, path: str, file: Path) -> Checksum:
        try:
            stream = file.open("rb")
        except FileNotFoundError:
            raise InvalidInput(f"there is no file {file.name!r}", field="file") from None
        with stream:
            return self._write(path, parts(stream))

    def _write(self, path: str, chunks: Iterable[bytes], *, overwrite: bool = True) -> Checksum:
        hashing = HashingReader()
        self._enclosure.write(path, hashing.passing(chunks), overwrite=overwrite)
        return hashing.content()

    def _existing(self, path: str) -> list[tuple[str, int, str]]:
        entries = sorted(self._enclosure.walk(path))
        if not entries:
            raise FileNotFoundError(path)
        return entries


@contextlib.contextmanager
def _translated(path: str) -> Iterator[None]:
    """The file system's errors, told as the registry's."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError):
        raise ArtifactNotFound(path) from None
    except NotADirectoryError:
        raise InvalidInput(
            f"artifact path {path!r:.120} goes through a file as if it were a folder", field="path"
        ) from None
    except OSError as error:
        raise BackendUnavailable(BACKEND, error.strerror or str(error)) from error
