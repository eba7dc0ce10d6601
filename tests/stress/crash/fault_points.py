"""Fault points of a running operation, found by running it: each call to a store is one.

Between two calls the process changes nothing outside itself, so the moments that differ are: before
the first call, and after each. On a database of MLflow's own, each of its commits is one as well.
"""

from __future__ import annotations

import inspect
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from model_lifecycle.registry.artifacts.protocol import ArtifactStore
from model_lifecycle.registry.services.backends import Backends


class FaultPoints:
    """Counts the calls of ``stores``; at the one numbered ``fatal`` the process is killed.

    ``told`` gets the name of that point, and ``committed`` for each commit of a ledger entry,
    before the process can end.
    """

    def __init__(self, stores: Backends, fatal: int, tell: Callable[[str], None]) -> None:
        self._fatal = fatal
        self._tell = tell
        self._guard = threading.Lock()
        self._enters = False
        self.count = 0
        self._watch_ledger(stores)
        self._watch_tracking(stores)
        self._watch_artifacts(stores)
        self.reach("before the first call")

    def reach(self, name: str) -> None:
        with self._guard:
            self.count += 1
            if self.count == self._fatal:
                self._tell(name)
                os.kill(os.getpid(), signal.SIGKILL)

    def _watch_ledger(self, stores: Backends) -> None:
        engine = stores.ledger._engine.sync_engine

        @event.listens_for(engine, "after_cursor_execute")
        def _executed(_c: Any, _k: Any, statement: str, _p: Any, _x: Any, _m: bool) -> None:
            words = statement.split()
            if words[:3] == ["INSERT", "INTO", "entries"]:
                self._enters = True
            self.reach(f"after ledger {' '.join(words[:3])}")

        dialect: Any = engine.dialect
        commit = dialect.do_commit

        def do_commit(connection: Any) -> None:
            commit(connection)
            if self._enters:
                self._enters = False
                self._tell("committed")
            self.reach("after ledger COMMIT")

        dialect.do_commit = do_commit

    def _watch_tracking(self, stores: Backends) -> None:
        connection: Any = stores.tracking._connection
        for name in ("call", "call_registry", "transfer"):
            self._watch(connection, name, _title)

        @event.listens_for(Engine, "commit")
        def _committing(connection: Connection) -> None:
            if not connection.dialect.is_async:
                self.reach("before a commit of MLflow")

    def _watch_artifacts(self, stores: Backends) -> None:
        for name, method in vars(ArtifactStore).items():
            if inspect.iscoroutinefunction(method) and name != "close":
                self._watch(stores.artifacts, name, lambda *_, name=name: f"artifacts.{name}")

    def _watch(self, owner: Any, name: str, title: Callable[..., str]) -> None:
        call = getattr(owner, name)

        async def watched(*arguments: Any, **options: Any) -> Any:
            try:
                return await call(*arguments, **options)
            finally:
                self.reach(f"after {title(*arguments)}")

        setattr(owner, name, watched)


def _title(work: Any) -> str:
    """Where in the package ``work`` is written; a partial has the place of its function."""
    qualname: str = getattr(work, "func", work).__qualname__
    return ".".join(part for part in qualname.split(".") if "<" not in part)
