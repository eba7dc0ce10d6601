"""The query of those who wait: many models at once, one query for all of them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event
from support.registry_fixture import RegistryFixture, new_name

from model_lifecycle.registry.domain.errors import InvalidName
from model_lifecycle.registry.model_registry import ModelRegistry


async def test_an_epoch_grows_with_each_change(world: RegistryFixture) -> None:
    """A number that has not grown says that nothing changed; an unknown model has none."""
    name, unknown = new_name(), new_name()
    key, other = (world.tenant, name), (world.tenant, unknown)
    await world.version(name)
    first = await world.registry.epochs([key, other])
    await world.judged(name, 1, "validation")
    same = await world.registry.epochs([key, other])
    await world.move(name, 1, "staging")
    second = await world.registry.epochs([key, other])

    assert (set(first), same) == ({key}, first)
    assert second[key] == first[key] + 1


async def test_versions_of_many_models_come_together(world: RegistryFixture) -> None:
    """Each model's versions are those that the model itself lists; deleted ones are absent."""
    names = [new_name() for _ in range(3)]
    await world.staged(names[0])
    await world.version(names[1])
    await world.version(names[1])
    await world.registry.delete_model(world.tenant, names[1], 1, actor="kim", reason="wrong data")
    keys = [(world.tenant, name) for name in names]
    versions = await world.registry.versions_of(keys)

    assert {key: [item.version for item in items] for key, items in versions.items()} == {
        keys[0]: [1],
        keys[1]: [2],
    }
    assert versions[keys[0]] == await world.registry.list_versions(*keys[0])


async def test_another_tenant_s_model_is_not_there(world: RegistryFixture) -> None:
    """The tenant is part of what is asked for; the same name elsewhere is nothing."""
    name = new_name()
    await world.version(name)

    assert await world.registry.epochs([(f"{world.tenant}-x", name)]) == {}
    assert await world.registry.versions_of([(f"{world.tenant}-x", name)]) == {}


async def test_a_thousand_models_are_one_query(registry: ModelRegistry) -> None:
    """However many wait, the database is asked once."""
    statements: list[str] = []
    engine = registry._stores.ledger._engine.sync_engine

    def hear(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", hear)
    try:
        await registry.epochs([("nobody", f"model-{number}") for number in range(1000)])
    finally:
        event.remove(engine, "before_cursor_execute", hear)

    assert len([line for line in statements if line.startswith("SELECT models.")]) == 1


async def test_an_impossible_name_is_refused(registry: ModelRegistry) -> None:
    """As in every other call."""
    with pytest.raises(InvalidName):
        await registry.epochs([("acme", "no/such")])
