"""Opening MLflow's two stores: tracking (runs, LoggedModels) and model registry.

MLflow is imported here, on first use: the import costs four to seven seconds.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..rules.errors import InvalidInput

_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")


@dataclass(frozen=True)
class Stores:
    """MLflow's stores. ``served`` is true behind an MLflow server, false on a database."""

    tracking: Any
    registry: Any
    uri: str
    served: bool

    def close(self) -> None:
        """Return the database connections; a server's need no closing."""
        if not self.served:
            self.tracking._dispose_engine()
            self.registry._dispose_engine()


def is_served(uri: str) -> bool:
    return urlsplit(uri).scheme in ("http", "https")


def is_sqlite(uri: str) -> bool:
    return uri.startswith("sqlite")


def check_uri(uri: str) -> str:
    """``uri`` if it names an MLflow server or database. Raises InvalidInput; no I/O."""
    scheme = urlsplit(uri).scheme
    if is_served(uri) or scheme.partition("+")[0] in _DATABASES:
        return uri
    raise InvalidInput(
        f"tracking address with scheme {scheme!r:.40} is not supported; use http://, https://, "
        "sqlite:/// or postgresql+psycopg2://",
        field="tracking_uri",
    )


def open_stores(uri: str, timeout: float) -> Stores:
    """The stores at ``uri``; creates the tables of an empty database. Blocks."""
    if is_served(uri):
        from .sending import SendOnceRegistry, SendOnceTracking

        return Stores(SendOnceTracking(uri, timeout), SendOnceRegistry(uri, timeout), uri, True)

    from mlflow.tracking._model_registry import utils as registry
    from mlflow.tracking._tracking_service import utils as tracking

    with _migrating_alone(uri):
        return Stores(
            tracking._get_sqlalchemy_store(uri, _default_artifacts(uri)),
            registry._get_sqlalchemy_store(uri),
            uri,
            False,
        )


@contextmanager
def _migrating_alone(uri: str) -> Iterator[None]:
    """Keeps two processes from creating the tables of one SQLite file at the same time."""
    database = _sqlite_file(uri)
    if database is None:
        yield
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(f"{database.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _default_artifacts(uri: str) -> str | None:
    """Where experiments that others create without a location keep their files: beside the
    database, since MLflow's default is a folder in whatever the current directory is."""
    database = _sqlite_file(uri)
    return str(database.parent / "mlruns") if database else None


def _sqlite_file(uri: str) -> Path | None:
    from sqlalchemy.engine import make_url

    url = make_url(uri)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database)).absolute()
