"""The database's errors as those of the registry: each with its cause, none with address or SQL."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ... import __version__
from ..domain.errors import BackendUnavailable, ChangeInProgress, SchemaMismatch

#: The store's name in :class:`BackendUnavailable`.
BACKEND = "ledger"
#: SQLSTATEs of PostgreSQL that say that another transaction is in the way: lock_not_available,
#: deadlock_detected, serialization_failure.
_IN_THE_WAY = ("55P03", "40P01", "40001")
#: SQLSTATEs, and classes of them, that speak of the server and not of the statement.
_TROUBLE = {
    "57014": "a statement took too long, and the server ended it",
    "25P03": "the transaction lay still for too long, and the server ended it",
    "57P03": "the server is starting or stopping",
    "57P": "the server is stopping",
    "53300": "the server accepts no more connections",
    "53": "the server is short of memory, disk or connections",
    "08": "the connection was lost",
    "58": "the server had an error of its operating system",
    "40": "the server ended the transaction",
    "55": "the server is not in a state for that",
    "57": "the server ended the statement",
    "0A000": "its tables were changed meanwhile",
}


class translated:  # noqa: N801 - reads as a verb phrase where it is used: `with translated():`
    """Turns a database's trouble into :class:`BackendUnavailable`, or, where another transaction
    is in the way, into :class:`ChangeInProgress` of ``what``."""

    def __init__(self, what: str = "the ledger") -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: Any, error: BaseException | None, _trace: Any) -> None:
        if isinstance(error, PoolTimeout):
            raise BackendUnavailable(
                BACKEND, "all connections of this process are in use by other calls"
            ) from error
        if isinstance(error, TimeoutError):
            raise BackendUnavailable(BACKEND, "its database does not answer") from error
        if isinstance(error, OSError):
            raise BackendUnavailable(BACKEND, f"no connection ({type(error).__name__})") from error
        if type(error) is DatabaseError:
            raise BackendUnavailable(BACKEND, "its file is damaged, or no ledger") from error
        if isinstance(error, DBAPIError):
            if _is_in_the_way(error):
                raise ChangeInProgress(self._what) from error
            if _is_of_other_tables(error):
                raise SchemaMismatch(
                    "it has not the tables of this program; run `model-lifecycle db upgrade` with "
                    "its version, or restart this process with the newer version",
                    program=__version__,
                ) from error
            problem = _trouble(error)
            if problem is not None:
                raise BackendUnavailable(BACKEND, problem) from error


def _is_in_the_way(error: DBAPIError) -> bool:
    if _state(error) in _IN_THE_WAY:
        return True
    # The extended codes hold the primary one in their lowest byte.
    code = getattr(error.orig, "sqlite_errorcode", None) or 0
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _is_of_other_tables(error: DBAPIError) -> bool:
    """Whether a table or a column of the statement does not exist: undefined_table,
    undefined_column."""
    if _state(error) in ("42P01", "42703"):
        return True
    return isinstance(error.orig, sqlite3.OperationalError) and str(error.orig).startswith(
        ("no such table", "no such column", "table ")
    )


def _trouble(error: DBAPIError) -> str | None:
    """The problem of the server; None if the statement itself is wrong."""
    state = _state(error)
    if state is not None:
        return next((text for key, text in _TROUBLE.items() if state.startswith(key)), None)
    if error.connection_invalidated:
        return "the connection was lost"
    if isinstance(error, OperationalError | InterfaceError):
        return type(error.orig).__name__
    return None


def _state(error: DBAPIError) -> str | None:
    state = getattr(error.orig, "sqlstate", None)
    return state if isinstance(state, str) else None
