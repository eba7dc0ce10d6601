"""From a command's options to an open registry, and to the one who acts."""

from __future__ import annotations

import getpass
import os
import sqlite3
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from model_lifecycle.registry.domain.authorization import Principal, Role, parse_roles
from model_lifecycle.registry.domain.errors import BackendUnavailable, InvalidInput
from model_lifecycle.registry.settings import PREFIX, Settings
from model_lifecycle.registry.sync import run_sync

if TYPE_CHECKING:
    from model_lifecycle.registry.model_registry import ModelRegistry

T = TypeVar("T")


def with_registry(
    home: Path | None, question: Callable[[ModelRegistry], Coroutine[Any, Any, T]]
) -> T:
    """The result of ``question``, called with the registry, which is closed afterwards.

    Raises what the registry raises, and InvalidInput where there is no registry: nobody who
    looks in the wrong place should find an empty registry there, made by the looking.
    """
    settings = Settings(home=home)
    require_ledger(settings)
    from model_lifecycle.registry.factory import open_registry

    async def asking() -> T:
        async with open_registry(settings) as registry:
            return await question(registry)

    return run_sync(asking())


def acting_principal(actor: str | None) -> Principal:
    """The acting principal: ``actor``, else the person logged in, with the roles of
    MODEL_LIFECYCLE_ROLES (default: every role, since direct access to the database is trusted
    anyway)."""
    names = os.environ.get(f"{PREFIX}ROLES", "")
    roles = parse_roles(name.strip() for name in names.split(",")) if names else frozenset(Role)
    return Principal(f"cli:{_login_name()}" if actor is None else actor, roles)


@contextmanager
def repeatable(operation_id: str | None) -> Iterator[str]:
    """An operation id for one change: the given one or a new one, which is printed when
    a backend fails, so that a repetition cannot act twice."""
    chosen = operation_id or f"cli/{uuid.uuid4()}"
    try:
        yield chosen
    except BackendUnavailable as error:
        error.add_note(f"To try again without the risk of acting twice: --operation-id {chosen}")
        raise


def require_ledger(settings: Settings) -> None:
    """Return if there is a ledger at ``settings``. Raises :class:`InvalidInput`."""
    from model_lifecycle.registry.administration import ledger_file

    file = ledger_file(settings.database_url)
    problem = _problem(file) if file else None
    if problem:
        raise InvalidInput(
            f"there is no registry here: {file} {problem}. Set {PREFIX}HOME, or "
            "--home, to the folder of the registry; `model-lifecycle db upgrade` makes a new one.",
            field="home",
        )


def _problem(ledger: Path) -> str | None:
    """Why there is no ledger in that file. Only SQLite itself may look into it: closing the file
    after a look of one's own would drop the locks that SQLite holds on it in this process."""
    if not ledger.exists():
        return "does not exist"
    if not ledger.is_file() or not ledger.stat().st_size:
        return "is not a ledger"
    connection = sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=rw", uri=True)
    try:
        connection.execute("PRAGMA schema_version")
    except sqlite3.DatabaseError as error:
        # Anything else, such as a lock, is for the ledger to tell.
        return "is not a ledger" if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB else None
    finally:
        connection.close()
    return None


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return f"uid-{os.getuid()}"
