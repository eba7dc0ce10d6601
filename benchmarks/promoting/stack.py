"""PostgreSQL that waits for its disk, and on it a ledger and MLflow's server as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.servers.mlflow import mlflow_server
from support.servers.postgres import postgres

from model_lifecycle.registry.ledger.migrate import upgrade
from model_lifecycle.registry.sync import run_sync

#: What ``mlflow server`` starts unless told otherwise.
_WORKERS = 4


@dataclass(frozen=True)
class Stack:
    """Addresses: MLflow's server, and the ledger's database for an async driver."""

    mlflow: str
    ledger: str


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """Both servers until the block ends; MLflow's log is in ``folder``."""
    with postgres(durable=True) as server:
        ledger = server.url("asyncpg", server.create_database("ledger"))
        run_sync(upgrade(ledger))
        store = server.url("psycopg2", server.create_database("mlflow"))
        with mlflow_server(folder, backend_store_uri=store, workers=_WORKERS) as mlflow:
            yield Stack(mlflow, ledger)
