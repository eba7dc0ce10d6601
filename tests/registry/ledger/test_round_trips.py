"""The cost of a read on PostgreSQL, and a pool whose idle connections broke."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.engine import make_url
from stress.faults.postgres_proxy import PostgresProxy, postgres_proxy
from support.pages import Pages
from support.servers.postgres import Postgres

from model_lifecycle.registry.ledger import engine
from model_lifecycle.registry.ledger.ledger import Ledger
from model_lifecycle.registry.ledger.migrate import upgrade

pytestmark = pytest.mark.postgres

READS: dict[str, Callable[[Pages], Awaitable[Any]]] = {
    "model": lambda pages: pages.ledger.read.model(pages.tenant, pages.model),
    "models": lambda pages: pages.ledger.read.models(
        pages.tenant, stage=None, framework=None, limit=10, after=None
    ),
    "versions": lambda pages: pages.ledger.read.versions(pages.tenant, pages.model),
    "entries": lambda pages: pages.ledger.read.entries(pages.tenant, pages.model),
    "operation": lambda pages: pages.ledger.read.operation(pages.tenant, "some-id"),
    "promotion": lambda pages: pages.ledger.read.promotion(pages.tenant, pages.model, 1),
}


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(postgres_server: Postgres) -> AsyncIterator[PostgresProxy]:
    async with postgres_proxy("127.0.0.1", postgres_server.port) as proxy:
        yield proxy


@pytest_asyncio.fixture(loop_scope="session")
async def pages(postgres_server: Postgres, proxy: PostgresProxy) -> AsyncIterator[Pages]:
    """A model of two versions, in a ledger of the test's own behind the proxy."""
    url = make_url(postgres_server.url("asyncpg", postgres_server.create_database()))
    await upgrade(url.render_as_string(False))
    ledger = await Ledger.open(url.set(port=proxy.port).render_as_string(False))
    pages = Pages(ledger)
    await pages.register(1)
    await pages.register(2)
    yield pages
    await ledger.close()


@pytest.mark.parametrize("name", READS)
async def test_a_read_is_one_round_trip(pages: Pages, proxy: PostgresProxy, name: str) -> None:
    """No ping, no BEGIN and no ROLLBACK around the statement."""
    await READS[name](pages)
    proxy.trips = 0
    await READS[name](pages)

    assert proxy.trips == 1


async def test_a_connection_that_lay_long_is_asked(
    pages: Pages, proxy: PostgresProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection used a moment ago is trusted, one that was idle for longer is not."""
    await READS["model"](pages)
    monkeypatch.setattr(engine, "_PING_AFTER_IDLE_SECONDS", 0.0)
    proxy.trips = 0
    await READS["model"](pages)

    assert proxy.trips > 1


@pytest.mark.parametrize("trusted_for", [0.0, 60.0])
async def test_reads_get_over_broken_connections(
    pages: Pages, proxy: PostgresProxy, monkeypatch: pytest.MonkeyPatch, trusted_for: float
) -> None:
    """Whether the pool asks first or the statement is the first to notice."""
    monkeypatch.setattr(engine, "_PING_AFTER_IDLE_SECONDS", trusted_for)
    before = await READS["model"](pages)
    proxy.cut_all()

    assert await READS["model"](pages) == before


async def test_a_read_whose_answer_is_lost_is_sent_again(
    pages: Pages, proxy: PostgresProxy
) -> None:
    """The connection breaks while the database answers; the caller does not hear of it."""
    before = await READS["model"](pages)
    proxy.lose_next = True

    assert await READS["model"](pages) == before
    assert proxy.lose_next is False


async def test_writes_get_over_connections_that_broke_while_they_lay(
    pages: Pages, proxy: PostgresProxy
) -> None:
    """The pool asks one that it knows to be closed before it lends it, so nothing is refused."""
    proxy.cut_all()
    await asyncio.sleep(0.05)
    await pages.register(3)

    assert [item.version for item in await READS["versions"](pages)] == [1, 2, 3]


async def test_versions_of_a_model_come_as_numbers_in_order(pages: Pages) -> None:
    """Also beyond nine, where their order as texts is another one."""
    for version in range(3, 13):
        await pages.register(version)
    loaded = await pages.ledger.read.model(pages.tenant, pages.model)

    assert loaded is not None
    assert loaded.versions == tuple(range(1, 13))
