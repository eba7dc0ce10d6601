"""Opening MLflow's two halves: tracking (runs, LoggedModels) and model registry.

MLflow is imported here, on first use: the import costs four to seven seconds. Behind a server, the
model registry does without it.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..domain.errors import InvalidInput
from .registry_protocol import RegistryStore
from .rest.auth import needs_mlflow

_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")


class MlflowStores:
    """MLflow's halves at ``uri``. ``tracking`` is a store of MLflow's own, opened on first use."""

    def __init__(self, uri: str, registry: RegistryStore, open_tracking: Callable[[], Any]) -> None:
        self.uri = uri
        self.registry = registry
        self._open_tracking = open_tracking
        self._opening = threading.Lock()
        self._tracking: Any = None

    @property
    def tracking(self) -> Any:
        with self._opening:
            if self._tracking is None:
                self._tracking = self._open_tracking()
            return self._tracking

    @property
    def is_whole(self) -> bool:
        """Whether ``tracking`` is open."""
        return self._tracking is not None

    def close(self) -> None:
        """Return the connections."""
        self.registry.close()


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


def open_stores(uri: str, timeout: float) -> MlflowStores:
    """The stores at ``uri``; creates the tables of an empty database. Blocks."""
    return _served(uri, timeout) if is_served(uri) else _on_database(uri)


def _served(uri: str, timeout: float) -> MlflowStores:
    from .rest.model_registry import ServedRegistry

    def tracking() -> Any:
        from .rest.tracking import SendOnceTracking

        return SendOnceTracking(uri, timeout)

    if needs_mlflow():
        both = tracking()
        return MlflowStores(uri, ServedRegistry(both), lambda: both)

    from .rest.client import Server

    return MlflowStores(uri, ServedRegistry(Server(uri, timeout)), tracking)


def _on_database(uri: str) -> MlflowStores:
    from mlflow.tracking._model_registry import utils as registries
    from mlflow.tracking._tracking_service import utils as trackings

    from .sql_registry import DatabaseRegistry

    with _migrating_alone(uri):
        tracking = trackings._get_sqlalchemy_store(uri, _default_artifacts(uri))
        registry = registries._get_sqlalchemy_store(uri)
    return MlflowStores(uri, DatabaseRegistry(registry, tracking), lambda: tracking)


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
    """The folder of experiments that others create without a location: beside the
    database, since MLflow's default is a folder in whatever the current directory is."""
    database = _sqlite_file(uri)
    return str(database.parent / "mlruns") if database else None


def _sqlite_file(uri: str) -> Path | None:
    from sqlalchemy.engine import make_url

    url = make_url(uri)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database)).absolute()
