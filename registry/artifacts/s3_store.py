"""An artifact store in S3, or in a server that speaks S3."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from model_lifecycle.registry.concurrency import FirstUse, run_concurrently
from model_lifecycle.registry.domain.errors import ArtifactNotFound, InvalidInput

from .checksums import PART_SIZE, Checksum, checksum_of_parts, content_of_parts, folder_files
from .protocol import StoredFile
from .s3_client import S3Connection, translated
from .s3_retention import Retention, retention
from .s3_upload import PARTS_AT_ONCE, send_bytes, send_file
from .uris import checked_path, former_path, path_below

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Requests in flight at a time. Parts of large files come on top of them.
_PARALLEL = 16


class S3Artifacts:
    """Files below ``s3://bucket/prefix``. Credentials and region come from the environment, as
    boto3 finds them, unless ``make_client`` makes the client, called with boto3's ``Config`` and
    the endpoint. Constructing does no I/O and does not import boto3."""

    def __init__(
        self,
        root: str,
        endpoint_url: str | None = None,
        make_client: Callable[[Any, str | None], Any] | None = None,
    ) -> None:
        self.bucket, self.prefix = _parse_root(root)
        self.root = "/".join(filter(None, (f"s3://{self.bucket}", self.prefix)))
        self._connection = S3Connection(endpoint_url, make_client)
        # Its own: those of ``asyncio.to_thread`` are few, and wait for other things.
        self._threads = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="s3")
        # Of all large files together: each thread holds a part in memory.
        self._part_threads = ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="s3-parts")

        self._retention: Retention | None = None
        self.former_roots: tuple[str, ...] = ()
        self._first_use: FirstUse | None = None

    def before_first_use(self, check: Callable[[], Awaitable[None]]) -> None:
        self._first_use = FirstUse(check)

    def __repr__(self) -> str:
        return f"S3Artifacts({self.root!r})"

    def uri(self, path: str) -> str:
        return f"{self.root}/{checked_path(path)}"

    def path_of(self, uri: str) -> str | None:
        scheme, _, rest = uri.partition("://")
        if scheme.lower() not in ("s3", "s3a"):
            return former_path(uri, self.former_roots)
        # A quoted character makes the path odd, so a quoted '..' is refused with the rest.
        path = path_below(rest.rstrip("/"), self.root.removeprefix("s3://"))
        return path or former_path(uri, self.former_roots)

    async def put_bytes(self, path: str, data: bytes, *, overwrite: bool = True) -> Checksum:
        condition = {} if overwrite else {"IfNoneMatch": "*"}
        key = self._key(path)
        return await self._call(
            path, lambda s3: send_bytes(s3, self.bucket, key, data, **condition)
        )

    async def put_once(self, path: str, data: bytes) -> Checksum:
        key = self._key(path)

        def put(s3: Any) -> Checksum:
            if self._retention is None:
                self._retention = retention(s3, self.bucket)
            return send_bytes(
                s3, self.bucket, key, data, IfNoneMatch="*", **self._retention.options()
            )

        return await self._call(path, put)

    async def put_file(self, path: str, file: Path) -> Checksum:
        def put(s3: Any) -> Checksum:
            if not file.is_file():
                raise InvalidInput(f"there is no file {file.name!r}", field="file")
            return send_file(s3, self.bucket, self._key(path), file, self._part_threads)

        return await self._call(path, put)

    async def put_folder(self, path: str, folder: Path) -> None:
        checked_path(path)
        paths = await asyncio.to_thread(folder_files, folder)
        await _each(paths.items(), lambda item: self.put_file(f"{path}/{item[0]}", item[1]))

    async def get_bytes(self, path: str) -> bytes:
        def get(s3: Any) -> bytes:
            body = s3.get_object(Bucket=self.bucket, Key=self._key(path))["Body"]
            with contextlib.closing(body):
                data: bytes = body.read()
                return data

        return await self._call(path, get)

    async def get_folder(self, path: str, folder: Path) -> None:
        async def get(file: StoredFile) -> None:
            target = folder / file.path.removeprefix(f"{path}/")
            await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
            await self._call(
                file.path,
                lambda s3: s3.download_file(
                    self.bucket,
                    self._key(file.path),
                    str(target),
                    Config=self._connection.transfers(),
                ),
            )

        await _each(await self._existing(path), get)

    async def files(self, path: str) -> list[StoredFile]:
        return sorted(file for file, _ in await self._listed(path))

    async def copy_folder(
        self, source_path: str, target_path: str, *, without: Collection[str] = ()
    ) -> list[StoredFile]:
        async def copy(file: StoredFile) -> None:
            below = file.path.removeprefix(f"{source_path}/")
            if below in without:
                return
            target = f"{target_path}/{below}"
            source = {"Bucket": self.bucket, "Key": self._key(file.path)}
            await self._call(
                file.path,
                lambda s3: s3.copy(
                    source, self.bucket, self._key(target), Config=self._connection.transfers()
                ),
            )

        checked_path(target_path)
        await _each(await self._existing(source_path), copy)
        return await self.files(target_path)

    async def delete_file(self, path: str) -> None:
        await self._call(path, lambda s3: s3.delete_object(Bucket=self.bucket, Key=self._key(path)))

    async def delete_folder(self, path: str) -> None:
        await _each(await self.files(path), lambda file: self.delete_file(file.path))

    async def content(self, path: str) -> Checksum:
        return await self._read(path, content_of_parts)

    async def checksums(self, path: str, names: Collection[str]) -> dict[str, Checksum]:
        async def read(name: str) -> tuple[str, Checksum | None]:
            try:
                return name, await self._read(f"{path}/{name}", checksum_of_parts)
            except ArtifactNotFound:
                return name, None

        contents = await run_concurrently(*(read(name) for name in names))
        return {name: content for name, content in contents if content is not None}

    async def holds(self, path: str, content: Checksum) -> bool:
        """By size and ETag; where the ETag is not made of MD5s (encryption with customer keys,
        other part sizes), by reading the object."""
        try:
            head = await self._call(
                path, lambda s3: s3.head_object(Bucket=self.bucket, Key=self._key(path))
            )
            if head["ContentLength"] != content.size:
                return False
            return head["ETag"].strip('"') == content.etag or await self.content(path) == content
        except ArtifactNotFound:
            return False

    async def holding(self, path: str, expected: Mapping[str, Checksum]) -> set[str]:
        """By one listing; where an ETag says nothing, as :meth:`holds`. What was sent has the ETag
        that the server answered with: the same in the listing is the same file."""
        listed = {
            file.path.removeprefix(f"{path}/"): (file.size, etag)
            for file, etag in await self._listed(path)
        }
        same = {
            name
            for name, content in expected.items()
            if listed.get(name) == (content.size, content.etag)
        }
        for name, content in expected.items():
            if name not in same and listed.get(name, (-1,))[0] == content.size:
                same |= {name} if await self.holds(f"{path}/{name}", content) else set()
        return same

    async def ping(self) -> None:
        await self._call("", lambda s3: s3.head_bucket(Bucket=self.bucket))

    async def close(self) -> None:
        await asyncio.to_thread(self._connection.close)
        self._threads.shutdown(wait=False)
        self._part_threads.shutdown(wait=False)

    async def _listed(self, path: str) -> list[tuple[StoredFile, str]]:
        """Every file below ``path`` with its ETag."""

        def walk(s3: Any) -> list[tuple[StoredFile, str]]:
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self._key(path) + "/"
            )
            objects = (item for page in pages for item in page.get("Contents", ()))
            # Some consoles and servers mark a folder with an empty object that ends in '/'.
            return [
                (
                    StoredFile(
                        checked_path(self._path(item["Key"])),
                        item["Size"],
                        f"{item['ETag']}{item['LastModified'].isoformat()}",
                    ),
                    item["ETag"].strip('"'),
                )
                for item in objects
                if not item["Key"].endswith("/")
            ]

        return await self._call(path, walk)

    async def _existing(self, path: str) -> list[StoredFile]:
        entries = await self.files(path)
        if not entries:
            raise ArtifactNotFound(path)
        return entries

    async def _read(self, path: str, summarize: Callable[[Iterable[bytes]], Checksum]) -> Checksum:
        """The result of ``summarize`` over the parts of a file. Raises ArtifactNotFound."""

        def read(s3: Any) -> Checksum:
            body = s3.get_object(Bucket=self.bucket, Key=self._key(path))["Body"]
            with contextlib.closing(body):
                return summarize(iter(lambda: body.read(PART_SIZE), b""))

        return await self._call(path, read)

    async def _call(self, path: str, work: Callable[[Any], Result]) -> Result:
        if self._first_use is not None:
            await self._first_use()

        def run() -> Result:
            client = self._connection.client()
            with translated(path, self.bucket):
                return work(client)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    def _key(self, path: str) -> str:
        return "/".join(filter(None, (self.prefix, checked_path(path))))

    def _path(self, key: str) -> str:
        return key.removeprefix(f"{self.prefix}/") if self.prefix else key


async def _each(items: Iterable[Item], work: Callable[[Item], Any]) -> None:
    """``work`` on every item, a few at a time; the first error ends it."""
    free = asyncio.Semaphore(_PARALLEL)

    async def one(item: Item) -> None:
        async with free:
            await work(item)

    await run_concurrently(*(one(item) for item in items))


def _parse_root(root: str) -> tuple[str, str]:
    bucket, _, prefix = root.removeprefix("s3://").strip("/").partition("/")
    if not root.startswith("s3://") or not bucket or "@" in bucket or ":" in bucket:
        raise InvalidInput(
            "artifact root must look like s3://bucket or s3://bucket/prefix; credentials and "
            "endpoint are set elsewhere",
            field="artifact_root",
        )
    return bucket, checked_path(prefix) if prefix else ""
