"""Programs of several versions on one ledger, while it is upgraded under them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import select, text
from support.pages import Pages

from model_lifecycle.registry.domain.errors import SchemaMismatch
from model_lifecycle.registry.domain.stages import Stage
from model_lifecycle.registry.ledger import migrate
from model_lifecycle.registry.ledger.engine import open_engine, reading, writing
from model_lifecycle.registry.ledger.ledger import Ledger
from model_lifecycle.registry.ledger.migrate import HEAD, OLDEST_WRITER, upgrade
from model_lifecycle.registry.ledger.tables import compatibility

D, S = Stage.DEVELOPMENT, Stage.STAGING


async def _execute(url: str, *statements: str) -> None:
    engine = open_engine(url)
    async with writing(engine) as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


@pytest_asyncio.fixture(loop_scope="session")
async def own(empty_database: str) -> AsyncIterator[Pages]:
    """A model in an upgraded ledger of the test's own."""
    await upgrade(empty_database)
    ledger = await Ledger.open(empty_database)
    pages = Pages(ledger)
    await pages.register(1)
    yield pages
    await ledger.close()


async def test_the_ledger_records_the_oldest_program_that_may_write(own: Pages) -> None:
    """As the code has it: a migration that raises one raises both."""
    async with reading(own.ledger._engine) as connection:
        recorded = await connection.scalar(select(compatibility.c.oldest_writer))

    assert recorded == OLDEST_WRITER <= HEAD


async def test_an_older_compatible_program_goes_on(
    own: Pages, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program at an older migration opens the ledger that a newer one upgraded, and writes."""
    monkeypatch.setattr(migrate, "HEAD", OLDEST_WRITER)
    older = Pages(await Ledger.open(empty_database), own.tenant, own.model)
    await older.move((1, D, S))
    await older.ledger.close()

    assert await own.stages() == {1: S}


async def test_a_running_program_is_fenced_off_by_a_breaking_upgrade(
    own: Pages, empty_database: str
) -> None:
    """Its next write is refused inside the transaction, nothing is changed, and reads go on."""
    before = await own.entries()
    await _execute(empty_database, "UPDATE compatibility SET oldest_writer = '9999'")
    with pytest.raises(SchemaMismatch, match=r"9999 and later.*nothing was changed") as caught:
        await own.move((1, D, S))

    assert caught.value.retryable
    assert await own.entries() == before


async def test_a_program_whose_tables_are_gone_gets_the_same_code(
    own: Pages, empty_database: str
) -> None:
    """A read of a column that an upgrade renamed is no unexpected error."""
    await _execute(empty_database, "ALTER TABLE versions RENAME COLUMN run_id TO training_run_id")
    with pytest.raises(SchemaMismatch, match="not the tables of this program"):
        await own.stages()


async def test_an_upgrade_between_writes_is_not_noticed(own: Pages, empty_database: str) -> None:
    """Columns with defaults are added while a pool of connections is in use."""
    await asyncio.gather(*(own.stages() for _ in range(4)))
    await _execute(
        empty_database,
        "ALTER TABLE versions ADD COLUMN of_a_newer_program INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE models ADD COLUMN of_a_newer_program TEXT",
    )
    await own.move((1, D, S))

    assert await own.stages() == {1: S}
