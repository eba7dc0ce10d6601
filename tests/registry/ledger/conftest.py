"""The ledger on both of its databases: SQLite in a file, and PostgreSQL."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from support.pages import Pages

from model_lifecycle.registry.ledger.engine import open_engine, writing
from model_lifecycle.registry.ledger.ledger import Ledger
from model_lifecycle.registry.ledger.migrate import upgrade
from model_lifecycle.registry.sync import run_sync

_HERE = Path(__file__).parent
BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


#: How each database lets go of the triggers that keep entries and evidence as they are.
TRIGGERS = {
    "sqlite": [
        f"DROP TRIGGER {table}_no_{change}"
        for table in ("entries", "evidence", "tree_leaves", "tree_heads")
        for change in ("update", "delete")
    ],
    "postgresql": [
        f"ALTER TABLE {table} DISABLE TRIGGER USER"
        for table in ("entries", "evidence", "tree_leaves", "tree_heads")
    ],
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All async tests of this folder run on one event loop, that of the ledgers they share."""
    for item in items:
        if (
            item.path.is_relative_to(_HERE)
            and isinstance(item, pytest.Function)
            and inspect.iscoroutinefunction(item.function)
        ):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session", params=BOTH)
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a ledger with tables, for all tests of the session."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('ledger')}/ledger.db"
    else:
        server = request.getfixturevalue("postgres_server")
        url = server.url("asyncpg", server.create_database())
    run_sync(upgrade(url))
    return url


@pytest.fixture(params=BOTH)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a database of the test's own, without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    server = request.getfixturevalue("postgres_server")
    return str(server.url("asyncpg", server.create_database()))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ledger(database: str) -> AsyncIterator[Ledger]:
    ledger = await Ledger.open(database)
    yield ledger
    await ledger.close()


@pytest.fixture
def pages(ledger: Ledger) -> Pages:
    """An empty work of a model of the test's own."""
    return Pages(ledger)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def intruder(
    request: pytest.FixtureRequest, database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Pages, AsyncEngine]]:
    """A ledger of its own whose triggers are gone, and a way to write into it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('intruder')}/ledger.db"
    if database.startswith("postgresql"):
        server = request.getfixturevalue("postgres_server")
        url = server.url("asyncpg", server.create_database())
    await upgrade(url)
    ledger = await Ledger.open(url)
    engine = open_engine(url)
    async with writing(engine) as connection:
        for statement in TRIGGERS[engine.dialect.name]:
            await connection.execute(text(statement))
    yield Pages(ledger), engine
    await engine.dispose()
    await ledger.close()


@pytest.fixture
def victim(intruder: tuple[Pages, AsyncEngine]) -> tuple[Pages, AsyncEngine]:
    """A fresh model in the ledger without triggers."""
    pages, engine = intruder
    return Pages(pages.ledger), engine
