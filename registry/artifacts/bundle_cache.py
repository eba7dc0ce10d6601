"""Bundles on this host's disk, kept by their digest: each is downloaded and hashed once.

An entry is the folder ``<digest>`` with the bundle's ``files``, and with ``revisions.json``: what
the file system said of each file after it was verified. While it says the same, nobody has written
to them (:class:`~.protocol.StoredFile`), and they are used as they are. A process holds a shared
lock of the entry that it uses, so that no other one removes it.

The folder belongs to the user of the process, as the program does: an attacker who can write to it
as that user could change the program instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from model_lifecycle.registry.domain.errors import BackendUnavailable
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId

from .bundle_verification import fetch_bundle, verify_bundle
from .confined_directory import ConfinedDirectory
from .protocol import ArtifactStore

_log = logging.getLogger(__name__)

_FILES, _REVISIONS = "files", "revisions.json"
#: What is being downloaded has this prefix until it is verified.
_INCOMING = ".incoming-"
#: Seconds after which an unfinished download is nobody's any more.
_ABANDONED = 24 * 3600.0


class BundleCache:
    """Verified bundles in the local folder ``root``, at most about ``most_bytes`` of them.

    With ``most_bytes`` 0, or where the folder cannot be used, nothing is kept.
    """

    def __init__(self, root: Path, most_bytes: int) -> None:
        self._root = root
        self._most_bytes = most_bytes

    @contextlib.asynccontextmanager
    async def bundle(
        self, store: ArtifactStore, tenant: TenantId, model: ModelId, version: int, digest: str
    ) -> AsyncIterator[Path]:
        """A local folder with the verified files of the bundle, to be read and not written to,
        until the block ends.

        What is in the store is compared by a listing also where nothing is downloaded: a bundle
        that was damaged or erased is not used, from no host. A store that does not answer is no
        reason to do without files that are proven. Raises :class:`BundleCorrupt`.
        """
        name = digest.removeprefix("sha256:")
        if not await asyncio.to_thread(self._is_usable):
            with tempfile.TemporaryDirectory(prefix="model-lifecycle-") as scratch:
                folder = Path(scratch) / _FILES
                await fetch_bundle(store, tenant, model, version, digest, folder)
                yield folder
            return
        lock = await asyncio.to_thread(_lock, self._root / f"{name}.lock", fcntl.LOCK_SH)
        try:
            entry = self._root / name
            if await asyncio.to_thread(_is_intact, entry):
                try:
                    await verify_bundle(store, tenant, model, version, digest)
                except BackendUnavailable as error:
                    _log.warning("%s/%s is used from this host's cache: %s", model, version, error)
            else:
                incoming = self._root / f"{_INCOMING}{uuid.uuid4().hex}"
                try:
                    await fetch_bundle(store, tenant, model, version, digest, incoming / _FILES)
                    await asyncio.to_thread(_enter, incoming, entry)
                finally:
                    await asyncio.to_thread(shutil.rmtree, incoming, ignore_errors=True)
                await asyncio.to_thread(self._evict)
            yield entry / _FILES
        finally:
            os.close(lock)

    def _is_usable(self) -> bool:
        """Whether bundles are kept, in a folder that nobody else can write to."""
        if not self._most_bytes:
            return False
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self._root.stat()
            if status.st_uid != os.geteuid() or status.st_mode & 0o022:
                raise PermissionError("other users can write to it")
            if not os.access(self._root, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError("it cannot be read and written")
        except OSError as error:
            _log.warning(
                "bundles are downloaded at each use: the folder %s cannot keep them (%s). Set "
                "MODEL_LIFECYCLE_CACHE_DIR to a folder of this user's, or "
                "MODEL_LIFECYCLE_CACHE_BYTES to 0",
                self._root,
                error,
            )
            return False
        return True

    def _evict(self) -> None:
        """Remove the entries that were used longest ago, until the rest is small enough, and what
        killed processes left unfinished. An entry that a process uses stays."""
        for incoming in self._root.glob(f"{_INCOMING}*"):
            with contextlib.suppress(FileNotFoundError):
                if incoming.stat().st_mtime < time.time() - _ABANDONED:
                    shutil.rmtree(incoming, ignore_errors=True)
        sizes = {
            entry: sum(size for _, size, _ in _walk(entry))
            for entry in self._root.iterdir()
            if entry.is_dir() and not entry.name.startswith(_INCOMING)
        }
        for entry in sorted(sizes, key=_last_used):
            if sum(sizes.values()) <= self._most_bytes:
                return
            with _try_exclusive(_lock_of(entry)) as is_unused:
                if is_unused:
                    shutil.rmtree(entry, ignore_errors=True)
                    sizes.pop(entry)


def _enter(incoming: Path, entry: Path) -> None:
    """Make the verified files of ``incoming`` the cache's ``entry``."""
    (incoming / _REVISIONS).write_text(json.dumps(_revisions(incoming)))
    for _ in range(2):
        with contextlib.suppress(OSError):
            incoming.rename(entry)
            return
        # There is one already: of another process, or one that was damaged.
        if _is_intact(entry):
            return
        aside = entry.with_name(f"{_INCOMING}{uuid.uuid4().hex}")
        with contextlib.suppress(FileNotFoundError):
            entry.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
    incoming.rename(entry)


def _is_intact(entry: Path) -> bool:
    """Whether the entry's files are those that were verified; and note that it was used now."""
    with contextlib.suppress(OSError):
        os.utime(_lock_of(entry))
    try:
        recorded = json.loads((entry / _REVISIONS).read_text())
        return bool(recorded == _revisions(entry))
    except (OSError, ValueError):
        return False


def _revisions(entry: Path) -> dict[str, list[str | int]]:
    """Size and revision of each of the entry's files, by path."""
    return {path: [size, revision] for path, size, revision in _walk(entry)}


def _walk(entry: Path) -> list[tuple[str, int, str]]:
    return ConfinedDirectory(entry).walk(_FILES)


def _lock_of(entry: Path) -> Path:
    return entry.with_name(f"{entry.name}.lock")


def _last_used(entry: Path) -> float:
    try:
        return _lock_of(entry).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _lock(file: Path, kind: int) -> int:
    """Take a lock of ``file``, made if need be; its descriptor, whose closing releases it."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def _try_exclusive(file: Path) -> Iterator[bool]:
    """Whether nobody else holds a lock of ``file``; it is held alone until the block ends."""
    try:
        descriptor = _lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)
