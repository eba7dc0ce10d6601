"""A real ``mlflow server`` from the installed package, for tests and the local stack."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from support.servers.ending import stop_on_signal
from support.servers.postgres import free_port

from model_lifecycle.stack.mlflow import QUIET, server_command

_START_SECONDS = 120.0
_STOP_SECONDS = 10.0


@contextmanager
def mlflow_server(
    folder: Path,
    *,
    backend_store_uri: str | None = None,
    artifacts_destination: str | None = None,
    environment: Mapping[str, str] | None = None,
    workers: int = 1,
) -> Iterator[str]:
    """Address of a server on a free port of 127.0.0.1 until the block ends.

    Its database is SQLite in ``folder`` unless ``backend_store_uri`` names another; what it prints
    goes to ``folder/mlflow-server.log``. ``environment`` is added to the process's own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    database = {"MLFLOW_BACKEND_STORE_URI": backend_store_uri or f"sqlite:///{folder}/mlflow.db"}
    inherited = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    log = folder / "mlflow-server.log"
    stop_on_signal()
    with log.open("wb") as output:
        server = subprocess.Popen(
            server_command(port, artifacts_destination or str(folder / "artifacts"), workers),
            cwd=folder,
            env={**inherited, **QUIET, **database, **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await_health(server, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        _stop(server)


def _await_health(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"mlflow server ended:\n{log.read_text()[-3000:]}")
        connection = HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            time.sleep(0.1)
        finally:
            connection.close()
    raise RuntimeError(f"mlflow server did not start:\n{log.read_text()[-3000:]}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and its workers: they are a process group of their own."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, how)
        except ProcessLookupError:
            return
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    server.wait(_STOP_SECONDS)
