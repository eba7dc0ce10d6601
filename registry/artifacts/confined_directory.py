"""Files below one folder, opened segment by segment so that no link is ever followed.

Every folder on the way is opened relative to its parent with ``O_NOFOLLOW``: unlike a check of
``resolve()`` before use, this leaves no moment in which a link can be slipped in.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from model_lifecycle.registry.domain.errors import AlreadyExists, InvalidInput

from .uris import checked_path

#: Files being written lie here until they are whole; no path may name it.
INCOMING = ".incoming"

#: Seconds after which an unfinished file is nobody's any more.
_ABANDONED = 7 * 24 * 3600.0

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class ConfinedDirectory:
    """Reading and writing below ``root``. Every method blocks, and raises OSError for the file
    system's trouble, FileNotFoundError for what is not there and InvalidInput for links."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """The file at ``path``, for reading."""
        *folders, name = self._segments(path)
        with self._folder(folders) as folder:
            self._refuse_link(name, folder, path)
            descriptor = os.open(
                name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder
            )
            with os.fdopen(descriptor, "rb") as stream:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise FileNotFoundError(path)
                yield stream

    def write(self, path: str, chunks: Iterable[bytes], *, overwrite: bool = True) -> None:
        """Put ``chunks`` at ``path``: written aside, flushed to disk, then renamed."""
        *folders, name = self._segments(path)
        incoming = f"{uuid.uuid4().hex}.part"
        with (
            self._folder([INCOMING], create=True) as aside,
            self._folder(folders, create=True) as folder,
        ):
            descriptor = os.open(
                incoming, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=aside
            )
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.writelines(chunks)
                    stream.flush()
                    os.fsync(descriptor)
                if overwrite:
                    os.replace(incoming, name, src_dir_fd=aside, dst_dir_fd=folder)
                else:
                    # A hard link, unlike a rename, fails when the name is taken.
                    os.link(incoming, name, src_dir_fd=aside, dst_dir_fd=folder)
            except FileExistsError:
                raise AlreadyExists(f"{path!r} exists already") from None
            except IsADirectoryError:
                raise AlreadyExists(f"{path!r} exists already, as a folder") from None
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(incoming, dir_fd=aside)

    def walk(self, path: str) -> list[tuple[str, int, str]]:
        """Path, size and revision of every file below the folder ``path``, unsorted; empty if there
        is no such folder. A file that is replaced has another inode or another time."""
        entries: list[tuple[str, int, str]] = []
        try:
            with self._folder(self._segments(path)) as folder:
                for at, inner, names, descriptor in os.fwalk(
                    ".", dir_fd=folder, follow_symlinks=False, onerror=_raise
                ):
                    within = "" if at == "." else at[2:] + "/"
                    for name in (*inner, *names):
                        self._refuse_link(name, descriptor, f"{path}/{within}{name}")
                    for name in names:
                        full = checked_path(f"{path}/{within}{name}")
                        status = os.stat(name, dir_fd=descriptor)
                        revision = f"{status.st_ino}-{status.st_mtime_ns}-{status.st_ctime_ns}"
                        entries.append((full, status.st_size, revision))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return entries

    def check(self) -> None:
        """Make the root if need be, see that it can be read and written, and remove what writers
        left in it that were killed long ago."""
        with self._folder([INCOMING], create=True) as aside:
            if not os.access(self.root, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "its root cannot be read and written")
            for name in os.listdir(aside):  # noqa: PTH208, a folder's descriptor is no path
                with contextlib.suppress(FileNotFoundError):
                    if os.stat(name, dir_fd=aside).st_mtime < time.time() - _ABANDONED:
                        os.unlink(name, dir_fd=aside)

    def remove_file(self, path: str) -> None:
        """Delete one file, or a link itself."""
        *folders, name = self._segments(path)
        with self._folder(folders) as folder:
            os.unlink(name, dir_fd=folder)

    def remove_folder(self, path: str) -> None:
        """Delete a folder with all it holds, links themselves and not what they point to."""
        *folders, name = self._segments(path)
        with self._folder(folders) as folder:
            shutil.rmtree(name, dir_fd=folder)

    def _segments(self, path: str) -> list[str]:
        segments = checked_path(path).split("/")
        if segments[0] == INCOMING:
            raise InvalidInput(f"artifact path {path!r:.120} is reserved", field="path")
        return segments

    @contextlib.contextmanager
    def _folder(self, segments: list[str], *, create: bool = False) -> Iterator[int]:
        """A descriptor of the folder at ``segments``; the root itself may be a link."""
        current = self._open_root(create=create)
        try:
            for index, name in enumerate(segments):
                self._refuse_link(name, current, "/".join(segments[: index + 1]))
                if create:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, dir_fd=current)
                inner = os.open(name, _FOLDER, dir_fd=current)
                os.close(current)
                current = inner
            yield current
        finally:
            os.close(current)

    def _open_root(self, *, create: bool) -> int:
        try:
            if create:
                self.root.mkdir(parents=True, exist_ok=True)
            return os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileExistsError, NotADirectoryError):
            # Not the caller's path: no path works in such a root.
            raise OSError(errno.EIO, "its root is not a folder") from None

    @staticmethod
    def _refuse_link(name: str, folder: int, path: str) -> None:
        """Tell a link in words; ``O_NOFOLLOW`` is what keeps it from being followed."""
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise InvalidInput(
                    f"{path!r:.120} is a link, which the artifact store never follows",
                    field="path",
                )


def _raise(error: OSError) -> None:
    raise error
