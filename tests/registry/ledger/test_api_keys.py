"""Every change of a tenant's API keys is an entry of a chain, and the table of keys is its sum."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from support.registry_fixture import new_name

from model_lifecycle.registry.domain.errors import LedgerCorrupt
from model_lifecycle.registry.ledger.api_keys import ApiKeys
from model_lifecycle.registry.ledger.engine import reading, writing
from model_lifecycle.registry.ledger.tables import key_changes

LIFE = timedelta(days=9)


@pytest_asyncio.fixture(loop_scope="session")
async def keys(database: str) -> AsyncIterator[ApiKeys]:
    opened = await ApiKeys.open(database)
    yield opened
    await opened.close()


@pytest.fixture
def tenant() -> str:
    return new_name("acme")


async def _create(keys: ApiKeys, tenant: str, name: str = "ci") -> str:
    _, made = await keys.create(tenant, name, ["viewer"], life=LIFE, created_by="kim")
    return made.key_id


async def _run(keys: ApiKeys, statement: str, tenant: str) -> None:
    """Run a statement without triggers, as the owner of the database can."""
    async with writing(keys._engine) as connection:
        triggers = []
        if connection.dialect.name == "postgresql":
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            query = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            triggers = [tuple(row) for row in await connection.execute(query)]
        for name, _ in triggers:
            await connection.execute(text(f"DROP TRIGGER {name}"))
        await connection.execute(text(statement), {"tenant": tenant})
        for _, sql in triggers:
            await connection.exec_driver_sql(sql)


async def test_changes_name_actor_and_time(keys: ApiKeys, tenant: str) -> None:
    """Creation and revocation, once each; revoking again is no change."""
    key_id = await _create(keys, tenant)
    for _ in range(2):
        await keys.revoke(tenant, key_id, revoked_by="lou")
    async with reading(keys._engine) as connection:
        rows = await connection.execute(
            select(key_changes.c.kind, key_changes.c.actor)
            .where(key_changes.c.tenant_id == tenant)
            .order_by(key_changes.c.sequence)
        )
        changes = [tuple(row) for row in rows]

    assert changes == [("created", "kim"), ("revoked", "lou")]
    assert await keys.verify_chain(tenant) == 2
    assert tenant in await keys.tenants()


async def test_two_who_create_keys_at_once_share_the_chain(keys: ApiKeys, tenant: str) -> None:
    """Neither is refused, and both are in it."""
    await asyncio.gather(*(_create(keys, tenant, f"ci {number}") for number in range(6)))

    assert await keys.verify_chain(tenant) == 6


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE api_keys SET roles = '[\"admin\"]' WHERE tenant_id = :tenant",
        "UPDATE api_keys SET secret_hash = 'sha256:0' WHERE tenant_id = :tenant",
        "UPDATE api_keys SET created_by = 'eve' WHERE tenant_id = :tenant",
        "UPDATE api_keys SET revoked_at = NULL WHERE tenant_id = :tenant",
        "DELETE FROM api_keys WHERE tenant_id = :tenant",
        "INSERT INTO api_keys (key_id, tenant_id, name, roles, secret_hash, created_at, created_by,"
        " expires_at) SELECT substr(:tenant, 6, 12), tenant_id, 'eve', roles, 'sha256:0', "
        "created_at, 'eve', expires_at FROM api_keys WHERE tenant_id = :tenant",
    ],
)
async def test_a_key_that_was_changed_in_the_table_is_named(
    keys: ApiKeys, tenant: str, statement: str
) -> None:
    """Other rights, another secret, another author, a revocation that was undone, a key that was
    removed, and one that nobody created."""
    key_id = await _create(keys, tenant)
    await keys.revoke(tenant, key_id, revoked_by="lou")
    await _run(keys, statement, tenant)

    with pytest.raises(LedgerCorrupt, match="left key"):
        await keys.verify_chain(tenant)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE key_changes SET actor = 'eve' WHERE tenant_id = :tenant", "was edited"),
        ("DELETE FROM key_changes WHERE tenant_id = :tenant AND sequence = 1", "is missing"),
        ("DELETE FROM key_changes WHERE tenant_id = :tenant AND sequence = 2", "left key"),
    ],
)
async def test_a_change_that_was_edited_or_removed_is_named(
    keys: ApiKeys, tenant: str, statement: str, problem: str
) -> None:
    """By its place in the chain, or by the key that it left."""
    await _create(keys, tenant)
    await _create(keys, tenant)
    await _run(keys, statement, tenant)

    with pytest.raises(LedgerCorrupt, match=problem):
        await keys.verify_chain(tenant)


async def test_the_database_refuses_to_change_the_chain(keys: ApiKeys, tenant: str) -> None:
    """No user can edit or remove a change."""
    await _create(keys, tenant)
    for statement in ("UPDATE key_changes SET actor = 'eve'", "DELETE FROM key_changes"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with writing(keys._engine) as connection:
                await connection.execute(text(statement))
