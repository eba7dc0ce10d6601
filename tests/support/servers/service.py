"""The stores of a registry in service: PostgreSQL, S3, and an MLflow server that stands on both."""

from __future__ import annotations

import re
import tempfile
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.servers.mlflow import mlflow_server
from support.servers.postgres import Postgres, postgres
from support.servers.seaweed import Seaweed, seaweed

from model_lifecycle.registry.ledger.migrate import upgrade
from model_lifecycle.registry.sync import run_sync


@dataclass(frozen=True)
class Service:
    postgres: Postgres
    seaweed: Seaweed
    mlflow_url: str

    def registry(self, home: Path) -> dict[str, Any]:
        """Settings of a new registry on these stores: a database with the ledger's tables, a
        bucket named for ``home``, and MLflow over HTTP."""
        url = self.postgres.url("asyncpg", self.postgres.create_database())
        run_sync(upgrade(url))
        name = re.sub(r"[^a-z0-9]+", "-", home.name.lower()).strip("-")
        return {
            "home": str(home),
            "database_url": url,
            "tracking_uri": self.mlflow_url,
            "artifact_root": self.seaweed.create_bucket(f"{name}-{uuid.uuid4().hex[:8]}"),
            "s3_endpoint_url": self.seaweed.url,
            "call_timeout": 30,
        }


class Starting:
    """Servers on their way up; a caller of :meth:`service` waits until they answer.

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
