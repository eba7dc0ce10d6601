"""Hashes of a file: SHA-256 to prove its content, S3's ETag to compare without reading back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from model_lifecycle.registry.domain.errors import InvalidInput

from .uris import checked_path

#: Part size of boto3's and MLflow's transfers; an S3 ETag depends on it.
PART_SIZE = 8 * 1024 * 1024


@dataclass(frozen=True)
class Checksum:
    """``sha256`` in hex and ``size`` in bytes. ``etag`` is what S3 calls these bytes where they are
    stored as they are here; empty when that is not known. It has no part in equality."""

    sha256: str
    size: int
    etag: str = field(default="", compare=False)


class HashingReader:
    """The SHA-256 and the size of what passes, for bytes that are read once and used on the way."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self.size = 0

    def add(self, chunk: bytes | bytearray) -> None:
        self._sha256.update(chunk)
        self.size += len(chunk)

    def passing(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """``chunks``, each added before it is given on."""
        for chunk in chunks:
            self.add(chunk)
            yield chunk

    def content(self, etag: str = "") -> Checksum:
        """The content of what has passed so far."""
        return Checksum(self._sha256.hexdigest(), self.size, etag)


def content_of(data: bytes) -> Checksum:
    """The content of ``data``."""
    return content_of_parts(data[start : start + PART_SIZE] for start in _starts(len(data)))


def content_of_file(file: Path) -> Checksum:
    """The content of a local file, read once."""
    with file.open("rb") as stream:
        return content_of_parts(parts(stream))


def checksum_of_parts(chunks: Iterable[bytes]) -> Checksum:
    """The SHA-256 and the size of ``chunks``, without an ETag: half of the work."""
    hashing = HashingReader()
    for chunk in chunks:
        hashing.add(chunk)
    return hashing.content()


def content_of_parts(chunks: Iterable[bytes]) -> Checksum:
    """The content of ``chunks``, each :data:`PART_SIZE` long but for the last.

    ETag: the MD5 of the bytes; from one part size on, the MD5 of the parts' MD5s and their
    number, as the S3 multipart upload defines it in practice (AWS: "Checking object integrity").
    """
    hashing = HashingReader()
    md5s = [hashlib.md5(chunk, usedforsecurity=False).digest() for chunk in hashing.passing(chunks)]
    if hashing.size < PART_SIZE:
        return hashing.content((md5s or [hashlib.md5(usedforsecurity=False).digest()])[0].hex())
    joined = hashlib.md5(b"".join(md5s), usedforsecurity=False).hexdigest()
    return hashing.content(f"{joined}-{len(md5s)}")


def parts(stream: BinaryIO) -> Iterator[bytes]:
    """``stream`` in pieces of :data:`PART_SIZE`."""
    while chunk := stream.read(PART_SIZE):
        yield chunk


def folder_digest(folder: Path) -> str:
    """SHA-256 over the names and bytes of a local folder's files: the same wherever it lies.

    Raises what :func:`folder_files` does. Blocking.
    """
    digest = hashlib.sha256()
    for name, file in folder_files(folder).items():
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        digest.update(f"{content} {name}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def folder_files(folder: Path) -> dict[str, Path]:
    """The files of a local folder by relative path, sorted.

    Raises :class:`InvalidInput` for links, for odd names, and when there is no such folder.
    """
    if not folder.is_dir():
        raise InvalidInput(f"{folder.name!r} is not a folder", field="folder")
    paths: dict[str, Path] = {}
    for item in sorted(folder.rglob("*")):
        relative = item.relative_to(folder).as_posix()
        if item.is_symlink() or not (item.is_file() or item.is_dir()):
            raise InvalidInput(
                f"{relative!r} is a link or a special file, which is not stored", field="folder"
            )
        if item.is_file():
            paths[checked_path(relative)] = item
    return dict(sorted(paths.items()))


def _starts(size: int) -> range:
    return range(0, size, PART_SIZE)
