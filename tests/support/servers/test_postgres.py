from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from support.servers.postgres import Postgres

pytestmark = pytest.mark.postgres
QUESTION = sa.text("SELECT current_database()")


@pytest.mark.parametrize("way", ["url", "socket_url"])
async def test_both_drivers_connect_over_tcp_and_socket(
    postgres_server: Postgres, way: str
) -> None:
    """The same fresh database answers to psycopg2 and to asyncpg."""
    database = postgres_server.create_database()
    engine = sa.create_engine(getattr(postgres_server, way)("psycopg2", database))
    with engine.connect() as connection:
        answer = connection.scalar(QUESTION)
    engine.dispose()
    async_engine = create_async_engine(getattr(postgres_server, way)("asyncpg", database))
    async with async_engine.connect() as async_connection:
        async_answer = await async_connection.scalar(QUESTION)
    await async_engine.dispose()

    assert (database, database) == (answer, async_answer)
