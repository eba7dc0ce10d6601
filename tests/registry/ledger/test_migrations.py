"""Tables come from migrations alone, and are those that the code speaks of, on both databases."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text
from support.servers.postgres import Postgres

from model_lifecycle.registry.domain.errors import (
    BackendUnavailable,
    InvalidInput,
    SchemaMismatch,
)
from model_lifecycle.registry.ledger import tables
from model_lifecycle.registry.ledger.engine import open_engine, reading, writing
from model_lifecycle.registry.ledger.ledger import Ledger
from model_lifecycle.registry.ledger.migrate import HEAD, alembic_config, upgrade


async def _look(url: str, question: Any) -> Any:
    engine = open_engine(url)
    try:
        async with reading(engine) as connection:
            return await connection.run_sync(question)
    finally:
        await engine.dispose()


async def _run(url: str, statement: str) -> None:
    engine = open_engine(url)
    async with writing(engine) as connection:
        await connection.execute(text(statement))
    await engine.dispose()


def test_the_newest_migration_is_known_without_alembic() -> None:
    """Opening a ledger compares with this constant, so it has to be right."""
    from alembic.script import ScriptDirectory

    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [HEAD]


async def test_migrations_make_the_tables_of_the_code(database: str) -> None:
    """Nothing to add, to remove or to change: what Alembic itself would look for."""

    def differences(connection: Any) -> list[Any]:
        from alembic.autogenerate import compare_metadata
        from alembic.runtime.migration import MigrationContext

        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "version_table": "ledger_version"},
        )
        return list(compare_metadata(context, tables.metadata))

    assert await _look(database, differences) == []


async def test_indexes_are_those_of_the_code(database: str) -> None:
    """Also the conditions of partial indexes, which Alembic does not compare."""

    def conditions(connection: Any) -> dict[str, str]:
        inspector = inspect(connection)
        dialect = connection.dialect.name
        return {
            index["name"]: str(index.get("dialect_options", {}).get(f"{dialect}_where", ""))
            for table in inspector.get_table_names()
            for index in inspector.get_indexes(table)
        }

    indexes = await _look(database, conditions)
    expected = {
        index.name: index for table in tables.metadata.sorted_tables for index in table.indexes
    }

    assert set(indexes) == set(expected)
    assert "production" in indexes["one_production_version"]
    assert "NULL" in indexes["pending_operations"]
    assert {name for name, condition in indexes.items() if condition} == {
        name
        for name, index in expected.items()
        if index.dialect_options["sqlite"]["where"] is not None
    }


async def test_upgrading_again_changes_nothing(empty_database: str) -> None:
    """Also two upgrades at the same time."""
    both = await asyncio.gather(upgrade(empty_database), upgrade(empty_database))

    assert set(both) == {HEAD}
    assert await upgrade(empty_database) == HEAD
    ledger = await Ledger.open(empty_database)
    await ledger.ping()
    await ledger.close()


@pytest.mark.postgres
async def test_a_database_in_service_is_not_migrated_by_the_way(postgres_server: Postgres) -> None:
    """Without tables the error says what to run, and the database is left as it was."""
    url = postgres_server.url("asyncpg", postgres_server.create_database())
    with pytest.raises(InvalidInput, match="has no tables yet; run `model-lifecycle db upgrade`"):
        await Ledger.open(url)

    assert await _look(url, lambda connection: inspect(connection).get_table_names()) == []


async def test_a_ledger_for_newer_programs_is_not_touched(empty_database: str) -> None:
    """Neither on SQLite nor on PostgreSQL: the error names both migrations, and can be retried."""
    await upgrade(empty_database)
    await _run(empty_database, "UPDATE ledger_version SET version_num = '9999'")
    await _run(empty_database, "UPDATE compatibility SET oldest_writer = '9998'")
    with pytest.raises(SchemaMismatch, match=f"at migration 9998 and later.*at {HEAD}") as caught:
        await Ledger.open(empty_database)

    assert caught.value.retryable
    assert caught.value.details() == {"backend": "ledger", "program": HEAD, "ledger": "9999"}


async def test_an_older_embedded_ledger_is_brought_up(empty_database: str) -> None:
    """SQLite by itself, with what it holds; PostgreSQL when somebody says so."""
    from alembic import command

    def first(connection: Any) -> None:
        command.upgrade(alembic_config(connection), "0001")

    engine = open_engine(empty_database)
    async with writing(engine) as connection:
        await connection.run_sync(first)
    await engine.dispose()
    if empty_database.startswith("postgresql"):
        with pytest.raises(SchemaMismatch, match=f"is at migration 0001, and .* needs {HEAD}"):
            await Ledger.open(empty_database)
        await upgrade(empty_database)
    ledger = await Ledger.open(empty_database)
    await ledger.close()

    def revision(connection: Any) -> Any:
        return connection.scalar(text("SELECT version_num FROM ledger_version"))

    assert await _look(empty_database, revision) == HEAD


_OPEN = """
import asyncio, sys
from model_lifecycle.registry.ledger.ledger import Ledger

async def main():
    ledger = await Ledger.open(sys.argv[1])
    await ledger.ping()
    await ledger.close()

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""


async def test_a_new_file_has_its_log_before_anybody_opens_it(tmp_path: Path) -> None:
    """Switched over later, by several at once, it would be locked for all but one of them."""
    file = tmp_path / "home" / "ledger.db"
    engine = open_engine(f"sqlite:///{file}")
    written, read = file.read_bytes()[18:20]
    await engine.dispose()

    # The format's two version bytes: 2 means a write-ahead log.
    assert (written, read) == (2, 2)
    assert [item.name for item in file.parent.iterdir()] == ["ledger.db"]


def test_processes_that_open_an_empty_folder_at_once(tmp_path: Path) -> None:
    """Each gets a ledger with tables, whichever of them made it."""
    url = f"sqlite:///{tmp_path}/home/ledger.db"
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _OPEN, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    results = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        results.append((process.returncode, errors))

    assert results == [(0, "")] * 2


@pytest.mark.parametrize(
    "url",
    ["", "ledger.db", "mysql://host/db", "http://host", "postgresql", "sqlite", "\0", "://"],
)
async def test_addresses_of_other_kinds_are_refused(url: str) -> None:
    """The error shows what an address looks like."""
    with pytest.raises(InvalidInput, match=r"sqlite:///folder/ledger\.db") as caught:
        await Ledger.open(url)

    assert caught.value.field == "database_url"


@pytest.mark.parametrize("obstacle", ["a file for a folder", "a folder for a file", "another file"])
async def test_places_that_cannot_be_a_ledger_are_told(tmp_path: Path, obstacle: str) -> None:
    """As errors of the registry, not of the operating system."""
    path = tmp_path / "ledger.db"
    match obstacle:
        case "a file for a folder":
            path.write_text("x")
            path = path / "ledger.db"
        case "a folder for a file":
            path.mkdir()
        case "another file":
            path.write_bytes(b"not a database" * 100)
    with pytest.raises((InvalidInput, BackendUnavailable)):
        await Ledger.open(f"sqlite:///{path}")
