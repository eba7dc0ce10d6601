"""Zip archives, unpacked within limits: nothing outside of the folder, no links, no bombs."""

from __future__ import annotations

import stat
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from model_lifecycle.registry.domain.errors import InvalidInput

_END = b"PK\x05\x06"
_END_SIZE = 22
_COMMENT = 65_535
_CHUNK = 1024 * 1024
_ENCRYPTED = 0x1
#: A central directory has 46 bytes an entry plus its name; more than this is no model folder.
_DIRECTORY_BYTES_AN_ENTRY = 1024


@dataclass(frozen=True)
class ArchiveLimits:
    """``expanded`` bounds the bytes that come out, whatever the archive says about itself."""

    entries: int
    expanded: int
    ratio: int = 200


def unpack(stream: BinaryIO, folder: Path, limits: ArchiveLimits) -> None:
    """Write the archive's files below ``folder``, which is empty. Blocking.

    Raises InvalidInput for anything that is not a plain, sound archive within the limits; what
    was written by then stays for the caller to remove.
    """
    try:
        _check_size(stream, limits)
        with ZipFile(stream) as archive:
            entries = _checked(archive.infolist(), limits)
            left = limits.expanded
            for name, entry in entries.items():
                left -= _write(archive, entry, folder / name, left, limits)
    except (BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise _refused(f"it is not a sound zip file ({error})") from None
    except (ValueError, RuntimeError, OverflowError) as error:
        raise _refused(f"it is not a sound zip file ({type(error).__name__})") from None


def _check_size(stream: BinaryIO, limits: ArchiveLimits) -> None:
    """The number of entries, from the archive's end: reading a directory of millions of them
    would already cost gigabytes."""
    stream.seek(0, 2)
    size = stream.tell()
    stream.seek(max(0, size - _END_SIZE - _COMMENT))
    tail = stream.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise _refused("it is not a zip file")
    entries, directory_bytes = struct.unpack("<10xHI6x", tail[at : at + _END_SIZE])
    if entries > limits.entries or directory_bytes > limits.entries * _DIRECTORY_BYTES_AN_ENTRY:
        raise _refused(f"it has more than {limits.entries} entries")
    stream.seek(0)


def _checked(members: list[ZipInfo], limits: ArchiveLimits) -> dict[str, ZipInfo]:
    if len(members) > limits.entries:
        raise _refused(f"it has more than {limits.entries} entries")
    files: dict[str, ZipInfo] = {}
    for entry in members:
        name = _safe_name(entry)
        _check_kind(entry, name)
        if entry.is_dir():
            continue
        if name in files:
            raise _refused(f"it holds {name!r:.120} twice")
        files[name] = entry
    for name in files:
        parents = name.split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            if "/".join(parents[:depth]) in files:
                raise _refused(f"{name!r:.120} lies below a file")
    if sum(entry.file_size for entry in files.values()) > limits.expanded:
        raise _refused(f"it expands to more than {limits.expanded} bytes")
    return files


def _safe_name(entry: ZipInfo) -> str:
    # orig_filename is what the archive says; filename is cut at a NUL by zipfile.
    name = entry.orig_filename.removesuffix("/")
    segments = name.split("/")
    if (
        not name
        or len(name) > 500
        or not name.isprintable()
        or "\\" in name
        or ":" in name
        or any(segment in ("", ".", "..") or len(segment.encode()) > 255 for segment in segments)
    ):
        raise _refused(f"the name {name!r:.120} is not that of a file within the model's folder")
    return name


def _check_kind(entry: ZipInfo, name: str) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _refused(f"{name!r:.120} is a link or a device, not a file")
    if entry.flag_bits & _ENCRYPTED:
        raise _refused(f"{name!r:.120} is encrypted")
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise _refused(f"{name!r:.120} is compressed in another way than deflate")


def _write(archive: ZipFile, entry: ZipInfo, target: Path, left: int, limits: ArchiveLimits) -> int:
    """Bytes written; counted as they come, since the archive's own figures may lie."""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    allowed = min(left, max(entry.compress_size * limits.ratio, 10 * _CHUNK))
    with archive.open(entry) as source, target.open("xb") as sink:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > allowed:
                raise _refused(f"{entry.filename!r:.120} expands beyond the limits")
            sink.write(chunk)
    return written


def _refused(why: str) -> InvalidInput:
    return InvalidInput(f"the uploaded archive is refused: {why}", field="mlflow_model")
