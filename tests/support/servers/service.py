"""The stores of a registry in service: PostgreSQL, S3, and an MLflow server that stands on both."""

from __future__ import annotations

import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from support.servers.mlflow import mlflow_server
from support.servers.postgres import Postgres, postgres
from support.servers.seaweed import Seaweed, seaweed


@dataclass(frozen=True)
class Service:
    postgres: Postgres
    seaweed: Seaweed
    mlflow_url: str


class Starting:
    """Servers on their way up; whoever asks for the service waits until it is there.

    PostgreSQL is there in seconds, and starts in this thread: its package is imported with
    warnings filtered, which no second thread may do at the same time.
    """

    def __init__(self, *, with_mlflow: bool) -> None:
        self._stack = ExitStack()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="servers")
        self.postgres = self._stack.enter_context(postgres())
        self._service: Future[Service] | None = None
        if with_mlflow:
            self._service = self._threads.submit(self._start)

    def service(self) -> Service:
        assert self._service is not None, "no collected test is marked with 'service'"
        return self._service.result()

    def stop(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._stack.close()

    def _start(self) -> Service:
        files = self._threads.submit(lambda: self._stack.enter_context(seaweed()))
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="mlflow-"))
        database = self.postgres.create_database("mlflow")
        server = mlflow_server(
            Path(folder), backend_store_uri=self.postgres.url("psycopg2", database)
        )
        url = self._stack.enter_context(server)
        return Service(self.postgres, files.result(), url)
