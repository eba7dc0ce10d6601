"""Where an upload lies while it is registered: the same upload repeated lies in the same place."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from model_lifecycle.registry.rules.errors import BackendUnavailable


@contextmanager
def upload_place(identity: str | None) -> Iterator[Path]:
    """An empty folder, removed at the end.

    The core knows a request again by its arguments, the folder's path among them: with an
    ``identity`` (tenant, key and content of the upload) the path is made from it. Two uploads
    of one identity at once would share the folder, so the second is told to come again.
    """
    root = _root()
    name = hashlib.sha256(identity.encode()).hexdigest() if identity else uuid.uuid4().hex
    folder, lock = root / name, root / f"{name}.lock"
    descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _take(descriptor, lock)
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(0o700)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def content_digest(stream: BinaryIO) -> str:
    """SHA-256 of what is in ``stream``."""
    stream.seek(0)
    found = hashlib.file_digest(stream, "sha256").hexdigest()
    stream.seek(0)
    return found


def _take(descriptor: int, lock: Path) -> None:
    """Hold the lock, and be sure that its file is still the one with that name."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == lock.stat().st_ino:
            return
    except (BlockingIOError, FileNotFoundError):
        pass
    raise BackendUnavailable("upload", "the same upload is being registered at this moment")


def _root() -> Path:
    """A folder of this user alone."""
    root = Path(tempfile.gettempdir()) / f"model-lifecycle-uploads-{os.getuid()}"
    root.mkdir(0o700, exist_ok=True)
    found = root.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{root} is not a folder of this user alone")
    return root
