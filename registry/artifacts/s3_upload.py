"""Sending to S3: every byte is read once, hashed on the way, and acknowledged by the server.

Each request carries the CRC32 of its bytes: the server refuses other bytes, and repeats the
checksum in its answer (AWS: "Checking object integrity"). Of a server that repeats none the ETag is
compared with the MD5. What neither proves gets no ETag, and is read back by who compares.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import math
import os
import threading
import zlib
from collections.abc import Mapping
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from .checksums import PART_SIZE, Checksum, HashingReader

#: Parts in flight at a time.
PARTS_AT_ONCE = 8

#: More are not allowed by S3: the parts of a file above 80 GiB are larger.
_MOST_PARTS = 10_000

_CRC32 = "ChecksumCRC32"


def send_bytes(s3: Any, bucket: str, key: str, data: bytes, **options: Any) -> Checksum:
    """Write one object; ``options`` are those of ``put_object``. Blocking."""
    hashing = HashingReader()
    hashing.add(data)
    checksum = _checksum(s3, data)
    answer = s3.put_object(Bucket=bucket, Key=key, Body=data, **checksum, **options)
    return hashing.content(_etag(answer) if _acknowledged(answer, data, checksum) else "")


def send_file(s3: Any, bucket: str, key: str, file: Path, threads: Executor) -> Checksum:
    """Write one object from a file, from one part size on in parts that ``threads`` send.

    The content is that of the bytes sent, whatever else becomes of the file meanwhile. After an
    error nothing is written. Blocking; not to be called in one of ``threads``.
    """
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size < PART_SIZE:
            return send_bytes(s3, bucket, key, stream.read())
        return _send_parts(s3, {"Bucket": bucket, "Key": key}, PartReader(stream, size), threads)


@dataclass(frozen=True)
class _Sent:
    """A part, ``named`` as ``complete_multipart_upload`` wants it."""

    named: dict[str, Any]
    acknowledged: bool


class PartReader:
    """A file that several threads read in turns, part by part, hashed in order."""

    def __init__(self, stream: BufferedIOBase, size: int) -> None:
        self.part_size = max(PART_SIZE, math.ceil(size / _MOST_PARTS))
        self.hashing = HashingReader()
        self._stream = stream
        self._number = 0
        self._ended = False
        self._turn = threading.Lock()

    def part(self, buffer: bytearray) -> tuple[int, bytes | bytearray] | None:
        """The next part and its number, from 1 on, in ``buffer`` if it is full; None at the end."""
        with self._turn:
            size = 0 if self._ended else self._stream.readinto(buffer)
            if not size:
                return None
            part = buffer if size == len(buffer) else bytes(buffer[:size])
            self.hashing.add(part)
            self._number += 1
            return self._number, part

    def end(self) -> None:
        """There are no more parts."""
        with self._turn:
            self._ended = True


def _send_parts(s3: Any, place: dict[str, str], reading: PartReader, threads: Executor) -> Checksum:
    algorithm = {"ChecksumAlgorithm": "CRC32"} if _checks(s3) else {}
    upload = s3.create_multipart_upload(**place, **algorithm)["UploadId"]
    senders: list[Future[list[_Sent]]] = []
    try:
        for _ in range(PARTS_AT_ONCE):
            senders.append(threads.submit(_send_turns, s3, place | {"UploadId": upload}, reading))
        wait(senders)
        sent = sorted(
            (part for sender in senders for part in sender.result()),
            key=lambda part: part.named["PartNumber"],
        )
        parts = {"Parts": [part.named for part in sent]}
        answer = s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=parts)
    except BaseException:
        reading.end()
        wait(senders)
        # The error to tell is the first one. Buckets drop what stays behind by their lifecycle.
        with contextlib.suppress(Exception):
            s3.abort_multipart_upload(**place, UploadId=upload)
        raise
    proven = all(part.acknowledged for part in sent)
    return reading.hashing.content(_etag(answer) if proven else "")


def _send_turns(s3: Any, place: Mapping[str, str], reading: PartReader) -> list[_Sent]:
    """Send parts until there are no more."""
    sent = []
    buffer = bytearray(reading.part_size)
    try:
        while turn := reading.part(buffer):
            number, data = turn
            checksum = _checksum(s3, data)
            answer = s3.upload_part(**place, PartNumber=number, Body=data, **checksum)
            checksums = {_CRC32: answer[_CRC32]} if _CRC32 in answer else {}
            named = {"PartNumber": number, "ETag": answer["ETag"], **checksums}
            sent.append(_Sent(named, _acknowledged(answer, data, checksum)))
    except BaseException:
        reading.end()
        raise
    return sent


def _checks(s3: Any) -> bool:
    """Whether checksums are sent. For servers that refuse them boto3 has a setting
    (``AWS_REQUEST_CHECKSUM_CALCULATION=when_required``)."""
    return bool(s3.meta.config.request_checksum_calculation != "when_required")


def _checksum(s3: Any, data: bytes | bytearray) -> dict[str, str]:
    if not _checks(s3):
        return {}
    return {_CRC32: base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()}


def _acknowledged(
    answer: Mapping[str, Any], data: bytes | bytearray, checksum: Mapping[str, str]
) -> bool:
    if checksum and _CRC32 in answer:
        return bool(answer[_CRC32] == checksum[_CRC32])
    return _etag(answer) == hashlib.md5(data, usedforsecurity=False).hexdigest()


def _etag(answer: Mapping[str, Any]) -> str:
    return str(answer["ETag"]).strip('"')
