"""The database behind the ledger: SQLite embedded, PostgreSQL in service."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Executable, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ..domain.errors import InvalidInput
from .database_errors import translated
from .timeouts import MAINTENANCE, ORDINARY, Limits

#: Seconds that a connection may lie in the pool unused before it is asked whether it still answers.
_PING_AFTER_IDLE_SECONDS = 1.0
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


def database_url(text: str) -> URL:
    """``text`` as a URL with an async driver. Raises :class:`InvalidInput`."""
    try:
        url = make_url(text)
        driver = _DRIVERS.get(url.get_backend_name())
    except ArgumentError:
        driver = None
    if driver is None:
        raise InvalidInput(
            "database_url must be like sqlite:///folder/ledger.db "
            "or postgresql://user:password@host/database",
            field="database_url",
        )
    return url.set(drivername=driver)


def open_engine(text: str | URL, limits: Limits = ORDINARY) -> AsyncEngine:
    """An engine for the database at ``text``. Opens no connection."""
    url = database_url(text) if isinstance(text, str) else text
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, limits)
    engine = create_async_engine(
        url,
        pool_size=limits.connections,
        max_overflow=0,
        pool_timeout=limits.connect,
        connect_args={
            "timeout": limits.connect,
            "command_timeout": limits.answer or None,
            "server_settings": limits.server_settings(),
        },
    )
    _ask_idle_connections(engine)
    return engine


def maintenance_engine(engine: AsyncEngine) -> AsyncEngine | None:
    """Another engine for the same database, for work that takes as long as it takes; None where
    the database is in the memory of ``engine`` alone."""
    if engine.dialect.name == "sqlite" and engine.url.database in (None, "", ":memory:"):
        return None
    return open_engine(engine.url, MAINTENANCE)


def _ask_idle_connections(engine: AsyncEngine) -> None:
    """Ping at checkout, but not what was in use a moment ago and is not known to be closed: a ping
    costs three round trips, which is more than most reads. A connection that breaks unnoticed
    within that moment fails its first statement: :func:`read` sends it again, and a write has not
    begun."""

    @event.listens_for(engine.sync_engine, "checkin")
    def _used(_connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def _ask(connection: Any, record: Any, _proxy: Any) -> None:
        lay = time.monotonic() - record.info.get("used", time.monotonic())
        if lay < _PING_AFTER_IDLE_SECONDS and not connection.driver_connection.is_closed():
            return
        try:
            connection.ping()
        except Exception:
            # The database was away, so what lies beside this one in the pool is dead as well.
            raise InvalidatePoolError from None


def _sqlite(url: URL, limits: Limits) -> AsyncEngine:
    if url.database and url.database != ":memory:":
        _make_file(Path(url.database))
    engine = create_async_engine(url, connect_args={"timeout": limits.lock})

    # The driver's own transaction handling starts a transaction too late for a read that is to
    # be followed by a write; with it off, BEGIN is ours (SQLAlchemy's documented recipe).
    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        begin = connection.get_execution_options().get("ledger_begin", "BEGIN")
        if begin:
            connection.exec_driver_sql(begin)

    # A connection whose caller was cancelled is closed; but SQLite keeps a closed connection, and
    # its lock, for as long as anything refers to a statement of it, as the caller's error does.
    # The driver's thread works in order: what it was doing, even a BEGIN, comes before this.
    @event.listens_for(engine.sync_engine, "invalidate")
    def _release(connection: Any, _record: Any, _error: Any) -> None:
        # Cancelled again, it is in the queue all the same, and the first error goes on.
        with suppress(Exception, asyncio.CancelledError):
            connection.rollback()

    return engine


def _make_file(file: Path) -> None:
    """A new database has its write-ahead log before anybody can open it: of several processes
    that switch one file over at the same time, SQLite refuses all but one, without waiting."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            return
        with TemporaryDirectory(prefix=".new-", dir=file.parent) as scratch:
            new = Path(scratch) / file.name
            with closing(sqlite3.connect(new)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
            # Somebody else was first; or there are no links here, and SQLite makes it when asked.
            with suppress(OSError):
                file.hardlink_to(new)
    except OSError as error:
        raise InvalidInput(
            f"the ledger's folder {str(file.parent)!r:.200} cannot be made: {error.strerror}",
            field="database_url",
        ) from None


def autocommit(engine: AsyncEngine) -> AsyncEngine:
    """``engine`` without transactions around its statements."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(ledger_begin=None)
    return engine.execution_options(isolation_level="AUTOCOMMIT")


async def read(
    engine: AsyncEngine, query: Executable, values: Mapping[str, Any] | None = None
) -> list[Mapping[str, Any]]:
    """The rows of one statement: one round trip, and one consistent state, as every statement
    sees one. Sent again where the pooled connection turns out to be broken.

    ``engine`` is one that :func:`autocommit` gave. Raises :class:`BackendUnavailable`.
    """
    with translated():
        try:
            return await _rows(engine, query, values)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            return await _rows(engine, query, values)


async def _rows(
    engine: AsyncEngine, query: Executable, values: Mapping[str, Any] | None
) -> list[Mapping[str, Any]]:
    async with engine.connect() as connection:
        rows = await connection.execute(query, values)
        return [dict(row) for row in rows.mappings()]


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction for several reads. Raises :class:`BackendUnavailable` if the database is
    away."""
    with translated():
        async with engine.connect() as connection:
            yield connection


@asynccontextmanager
async def writing(engine: AsyncEngine, what: str = "the ledger") -> AsyncIterator[AsyncConnection]:
    """One transaction that may write: committed at the end, rolled back on any error, also when
    the caller is cancelled. ``what`` is named where another change of it is in the way."""
    with translated(what):
        async with engine.execution_options(ledger_begin="BEGIN IMMEDIATE").begin() as connection:
            yield connection


@asynccontextmanager
async def single(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection for one statement that writes, and commits by itself: one round trip."""
    with translated():
        async with autocommit(engine).connect() as connection:
            yield connection
