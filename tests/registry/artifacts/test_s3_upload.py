"""The bytes that S3 stores are those that were hashed, or nothing is written."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from support.servers.seaweed import Seaweed

from model_lifecycle.registry.artifacts.checksums import PART_SIZE, Checksum, content_of
from model_lifecycle.registry.artifacts.s3_store import S3Artifacts
from model_lifecycle.registry.domain.errors import BackendUnavailable

SIZES = (0, 1, PART_SIZE - 1, PART_SIZE, PART_SIZE + 1, 3 * PART_SIZE)


@asynccontextmanager
async def store_with(
    server: Seaweed, handlers: Mapping[str, Callable[..., None]]
) -> AsyncIterator[S3Artifacts]:
    """A store whose client calls ``handlers`` at boto3's events."""

    def make_client(config: Any, endpoint_url: str | None) -> Any:
        client = boto3.session.Session().client("s3", endpoint_url=endpoint_url, config=config)
        for event, handler in handlers.items():
            client.meta.events.register(event, handler)
        return client

    store = S3Artifacts(f"s3://artifacts/{uuid.uuid4().hex}", server.url, make_client)
    yield store
    await store.close()


def file_of(folder: Path, size: int) -> Path:
    file = folder / "model.bin"
    block = bytes(range(251))
    file.write_bytes((block * (size // len(block) + 1))[:size])
    return file


def etag(server: Seaweed, store: S3Artifacts, path: str) -> str:
    head = server.client().head_object(Bucket="artifacts", Key=f"{store.prefix}/{path}")
    return str(head["ETag"]).strip('"')


@pytest.mark.parametrize("size", SIZES)
async def test_a_file_is_sent_and_told(
    s3_store: S3Artifacts, s3_server: Seaweed, tmp_path: Path, size: int
) -> None:
    """A file of any number of parts arrives; its content comes with the server's ETag."""
    file = file_of(tmp_path, size)
    sent = await s3_store.put_file("t/a", file)

    assert await s3_store.get_bytes("t/a") == file.read_bytes()
    assert sent == content_of(file.read_bytes())
    assert sent.etag == etag(s3_server, s3_store, "t/a") == content_of(file.read_bytes()).etag


@pytest.mark.parametrize("size", SIZES[1:])
async def test_bytes_that_change_on_the_way(s3_server: Seaweed, tmp_path: Path, size: int) -> None:
    """Bytes that change after they were hashed are refused by the server, and nothing is left."""

    def garble(request: Any, **_: object) -> None:
        data = request.body.read() if hasattr(request.body, "read") else request.body
        request.body = b"\xff" + bytes(data[1:])

    events = dict.fromkeys(("before-send.s3.PutObject", "before-send.s3.UploadPart"), garble)
    async with store_with(s3_server, events) as store:
        with pytest.raises(BackendUnavailable, match="BadDigest"):
            await store.put_file("t/a", file_of(tmp_path, size))
        uploads = s3_server.client().list_multipart_uploads(Bucket="artifacts", Prefix=store.prefix)

        assert await store.files("t") == []
        assert uploads.get("Uploads", []) == []


async def test_a_file_that_changes_meanwhile(s3_server: Seaweed, tmp_path: Path) -> None:
    """The content told is that of the bytes sent, also of a file that is written to meanwhile."""
    file = file_of(tmp_path, 12 * PART_SIZE)
    before = content_of(file.read_bytes())

    def overwrite(**_: object) -> None:
        with file.open("r+b") as stream:
            stream.seek(11 * PART_SIZE)
            stream.write(bytes(PART_SIZE))

    async with store_with(s3_server, {"before-send.s3.UploadPart": overwrite}) as store:
        sent = await store.put_file("t/a", file)

        assert (sent, sent != before) == (await store.content("t/a"), True)


@pytest.mark.parametrize("size", [5, PART_SIZE + 5])
async def test_a_server_that_takes_no_checksums(
    s3_server: Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Where boto3 is set to send no checksums none is sent, and the ETag proves what arrived."""
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    sent_headers: list[str] = []
    events = {"before-send.s3": lambda request, **_: sent_headers.extend(request.headers)}
    async with store_with(s3_server, events) as store:
        sent = await store.put_file("t/a", file_of(tmp_path, size))

        assert sent.etag == etag(s3_server, store, "t/a")
        assert not [name for name in sent_headers if name.lower().startswith("x-amz-checksum")]


async def test_a_server_that_acknowledges_nothing(s3_server: Seaweed) -> None:
    """Where neither checksum nor ETag says what arrived, it is read back to compare."""
    read: list[str] = []

    def drop(parsed: dict[str, Any], **_: object) -> None:
        parsed.pop("ChecksumCRC32", None)
        parsed["ETag"] = '"of-a-key-of-ones-own"'

    events: dict[str, Callable[..., None]] = {
        "after-call.s3.PutObject": drop,
        "before-call.s3.GetObject": lambda **_: read.append("t/a"),
    }
    async with store_with(s3_server, events) as store:
        sent = {"a": await store.put_bytes("t/a", b"as sent"), "b": Checksum("0" * 64, 1)}

        assert sent["a"].etag == ""
        assert await store.holding("t", sent) == {"a"}
        assert read == ["t/a"]


async def test_a_file_that_another_replaced(s3_store: S3Artifacts) -> None:
    """A file that was overwritten after its upload does not pass, though it has the same size."""
    sent = {"a": await s3_store.put_bytes("t/a", b"as sent")}
    held = await s3_store.holding("t", sent)
    await s3_store.put_bytes("t/a", b"another")

    assert (held, await s3_store.holding("t", sent)) == ({"a"}, set())
