"""Faults that only S3 has: servers that do not answer, missing buckets, refused credentials."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import pytest
from support.servers.postgres import free_port
from support.servers.seaweed import Seaweed

from model_lifecycle.registry.artifacts import StoredFile
from model_lifecycle.registry.artifacts.checksums import content_of
from model_lifecycle.registry.artifacts.s3_store import S3Artifacts
from model_lifecycle.registry.domain.errors import BackendUnavailable, InvalidInput


async def test_a_server_that_is_not_there(s3_server: Seaweed) -> None:
    """A server that does not answer gives an error within five seconds."""
    store = S3Artifacts("s3://artifacts", endpoint_url=f"http://127.0.0.1:{free_port()}")
    started = time.monotonic()
    with pytest.raises(BackendUnavailable) as caught:
        await store.ping()

    assert caught.value.backend == "artifact store"
    assert time.monotonic() - started < 5


async def test_a_bucket_that_is_not_there(s3_server: Seaweed) -> None:
    """A missing bucket is the store's trouble; it is not made in silence."""
    store = S3Artifacts("s3://not-there", endpoint_url=s3_server.url)
    for call in (store.ping(), store.get_bytes("t/a"), store.files("t")):
        with pytest.raises(BackendUnavailable, match="not-there"):
            await call
    await store.close()


async def test_refused_credentials(
    s3_server: Seaweed, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Refused credentials are the store's trouble, for uploads of files too; none are repeated."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    store = S3Artifacts("s3://artifacts", endpoint_url=s3_server.url)
    file = tmp_path_factory.mktemp("files") / "a"
    file.write_bytes(b"1")
    for call in (store.get_bytes("t/a"), store.put_bytes("t/a", b""), store.put_file("t/a", file)):
        with pytest.raises(BackendUnavailable) as caught:
            await call

        assert "another-secret" not in str(caught.value)
    await store.close()


async def test_an_endpoint_that_is_no_address() -> None:
    """A setting that cannot be used is named."""
    store = S3Artifacts("s3://artifacts", endpoint_url="not an address")
    with pytest.raises(InvalidInput) as caught:
        await store.ping()

    assert caught.value.field == "s3_endpoint_url"


async def test_objects_with_other_etags(s3_store: S3Artifacts, s3_server: Seaweed) -> None:
    """An object uploaded in parts of another size is recognised by its bytes."""
    data = b"x" * (11 * 1024 * 1024)
    client, key = s3_server.client(), f"{s3_store.prefix}/t/a"
    upload = client.create_multipart_upload(Bucket="artifacts", Key=key)["UploadId"]
    parts = []
    for number, start in enumerate((0, 5 * 1024 * 1024), start=1):
        end = 5 * 1024 * 1024 if number == 1 else len(data)
        answer = client.upload_part(
            Bucket="artifacts", Key=key, UploadId=upload, PartNumber=number, Body=data[start:end]
        )
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    client.complete_multipart_upload(
        Bucket="artifacts", Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
    )

    assert await s3_store.holds("t/a", content_of(data))


async def test_markers_of_folders(s3_store: S3Artifacts, s3_server: Seaweed) -> None:
    """Empty objects that consoles make for folders are no files."""
    s3_server.client().put_object(Bucket="artifacts", Key=f"{s3_store.prefix}/t/model/", Body=b"")
    await s3_store.put_bytes("t/model/a", b"1")

    assert await s3_store.files("t") == [StoredFile("t/model/a", 1)]


async def test_more_files_than_a_page(s3_store: S3Artifacts) -> None:
    """A listing goes on after the first thousand files."""
    await asyncio.gather(*(s3_store.put_bytes(f"t/{number}", b"") for number in range(1003)))

    assert len(await s3_store.files("t")) == 1003


def test_boto3_is_not_imported_early() -> None:
    """Making an S3 store imports no boto3: most processes never touch the store."""
    program = (
        "import sys; from model_lifecycle.registry.artifacts import open_artifacts\n"
        "from model_lifecycle.registry.settings import Settings\n"
        "open_artifacts(Settings({}, artifact_root='s3://bucket'))\n"
        "print(sorted({'boto3', 'botocore', 'numpy', 'pandas', 'mlflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert (done.stdout.strip(), done.stderr) == ("[]", "")
