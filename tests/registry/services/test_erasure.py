"""Erasure: the files go for legal reasons, the record stays, and the version can go nowhere."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture

from model_lifecycle.registry.domain.authorization import Principal, Role
from model_lifecycle.registry.domain.errors import (
    InvalidInput,
    InvalidTransition,
    NoEarlierProduction,
    PermissionDenied,
    VersionNotFound,
)
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.domain.models import EntryKind, Receipt


async def _erase(
    world: RegistryFixture, model_id: str, version: int = 1, **changes: Any
) -> Receipt:
    arguments = {"actor": "kim", "reason": "request of the data subject", **changes}
    return await world.registry.erase_version(world.tenant, model_id, version, **arguments)


async def test_a_version_that_was_in_production_loses_its_files(
    world: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """From the artifact store and from MLflow; its entries stay, and say who erased it and why."""
    await world.promoted(model_id)
    promoted_at = (await world.history(model_id))[-1].at
    await world.promoted(model_id, source=1)
    receipt = await _erase(world, model_id)
    left = by_hand.search_model_versions(f"name = '{world.tenant}.{model_id}'")
    at = await world.registry.production_at(world.tenant, model_id, _after(promoted_at))

    assert receipt.entry.kind is EntryKind.ERASED
    assert receipt.entry.reason == "request of the data subject"
    assert receipt.entry.detail["logged_model_id"].startswith("m-")
    assert await world.registry.artifacts.files(f"{world.tenant}/models/{model_id}/1") == []
    assert [int(item.version) for item in left] == [2]
    assert at == 1
    assert await world.stages(model_id) == {2: "production"}


def _after(when: datetime) -> datetime:
    return when + timedelta(microseconds=1)


async def test_verify_and_reconcile_know_it(apart: RegistryFixture, model_id: str) -> None:
    """The history with the erasure follows the rules, and nothing differs between the stores."""
    await apart.promoted(model_id)
    await apart.promoted(model_id)
    receipt = await _erase(apart, model_id)

    assert await apart.registry.verify_ledger(apart.tenant, model_id) == receipt.entry.sequence
    assert await apart.registry.reconcile(apart.tenant) == []


async def test_it_can_go_nowhere(local: RegistryFixture, model_id: str) -> None:
    """Neither promotion nor rollback nor evidence finds it, by default or by its number."""
    await local.promoted(model_id)
    await local.promoted(model_id)
    await _erase(local, model_id)
    with pytest.raises(NoEarlierProduction):
        await local.roll_back(model_id)
    with pytest.raises(VersionNotFound):
        await local.roll_back(model_id, to_version=1)
    with pytest.raises(VersionNotFound):
        await local.move(model_id, 1, "development", reason="again")

    assert await local.stages(model_id) == {2: "production"}
    assert await local.version(model_id) == 3


async def test_production_is_not_erased(local: RegistryFixture, model_id: str) -> None:
    """The error says what to do first."""
    await local.promoted(model_id)
    before = await local.snapshot(model_id)
    with pytest.raises(InvalidTransition, match="roll back or retire it first"):
        await _erase(local, model_id)

    assert await local.snapshot(model_id) == before


async def test_it_needs_an_admin_and_a_reason(local: RegistryFixture, model_id: str) -> None:
    """Nothing is changed otherwise."""
    await local.version(model_id)
    before = await local.snapshot(model_id)
    others = Principal("lee", frozenset(Role) - {Role.ADMIN})
    with pytest.raises(PermissionDenied, match="erase versions"):
        await _erase(local, model_id, actor=others)
    with pytest.raises(InvalidInput, match="reason"):
        await _erase(local, model_id, reason="")

    assert await local.snapshot(model_id) == before


async def test_a_repetition_says_that_it_is_one(local: RegistryFixture, model_id: str) -> None:
    """It has the entry of the first call, and the model as it is now."""
    await local.promoted(model_id)
    await local.promoted(model_id)
    first = await _erase(local, model_id, operation_id=f"{model_id}/erase")
    await local.version(model_id)
    again = await _erase(local, model_id, operation_id=f"{model_id}/erase")

    assert (first.replayed, first.current, again.replayed) == (False, None, True)
    assert again.entry == first.entry
    assert again.current is not None
    assert again.current.versions == (2, 3)


async def test_files_that_a_killed_erasure_left_are_removed(
    apart: RegistryFixture, model_id: str
) -> None:
    """The row in the outbox stands for the files as well."""
    await apart.version(model_id)
    await apart.version(model_id)
    await _erase(apart, model_id)
    registry = apart.registry
    path = f"{apart.tenant}/models/{model_id}/1/MLmodel"
    await registry.artifacts.put_bytes(path, b"left")
    await registry._stores.ledger.requeue_sync(
        TenantId(apart.tenant), ModelId(model_id), [1], "left"
    )
    await registry.sweep_outbox()

    assert await registry.artifacts.files(f"{apart.tenant}/models/{model_id}/1") == []
