"""Deletion: versions that were never in production, all or nothing; the history stays."""

from __future__ import annotations

from typing import Any

import pytest
from support.registry_fixture import RegistryFixture

from model_lifecycle.registry.domain.authorization import Principal, Role
from model_lifecycle.registry.domain.errors import (
    InvalidInput,
    InvalidTransition,
    ModelNotFound,
    PermissionDenied,
    VersionNotFound,
)
from model_lifecycle.registry.domain.models import EntryKind


async def _delete(
    world: RegistryFixture, model_id: str, version: int | None = None, **changes: Any
) -> None:
    arguments = {"actor": "kim", "reason": "a mistake", **changes}
    await world.registry.delete_model(world.tenant, model_id, version, **arguments)


async def test_a_deleted_version_is_gone(
    world: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """From the ledger's readers, from MLflow and from the artifact store; its entry stays."""
    await world.version(model_id)
    await world.staged(model_id, source=1)
    await _delete(world, model_id, 2)
    model = await world.registry.get_model(world.tenant, model_id)
    entry = (await world.history(model_id))[-1]

    assert model is not None
    assert (model.current_version, model.versions) == (1, (1,))
    assert await world.registry.get_version(world.tenant, model_id, 2) is None
    assert await world.registry.artifacts.files(f"{world.tenant}/models/{model_id}/2") == []
    projected = by_hand.search_model_versions(f"name = '{world.tenant}.{model_id}'")
    assert [int(item.version) for item in projected] == [1]
    assert (entry.kind, entry.reason) == (EntryKind.DELETED, "a mistake")
    assert await world.registry.verify_ledger(world.tenant, model_id) == 4


async def test_a_number_is_not_given_twice(world: RegistryFixture, model_id: str) -> None:
    """After a deletion the next version has a new number."""
    await world.version(model_id)
    await world.version(model_id)
    await _delete(world, model_id, 2)

    assert await world.version(model_id) == 3


async def test_a_whole_model_can_be_deleted(world: RegistryFixture, model_id: str) -> None:
    """Readers do not find it any more; its history is still told, and its name can be used."""
    await world.version(model_id)
    await world.staged(model_id, source=1)
    await _delete(world, model_id)
    listed = await world.registry.list_models(world.tenant, limit=1000)

    assert await world.registry.get_model(world.tenant, model_id) is None
    assert model_id not in [item.model_id for item in listed]
    assert [entry.kind.value for entry in await world.history(model_id)] == [
        "registered",
        "registered",
        "moved",
        "deleted",
    ]
    with pytest.raises(ModelNotFound):
        await world.registry.list_versions(world.tenant, model_id)
    assert await world.version(model_id) == 3


@pytest.mark.parametrize("stage", ["production", "archived"])
async def test_what_was_in_production_is_kept(
    world: RegistryFixture, model_id: str, stage: str
) -> None:
    """Neither alone nor with its model; nothing of the model is deleted then."""
    version = await world.promoted(model_id)
    if stage == "archived":
        await world.move(model_id, version, "archived", reason="out of season")
    await world.version(model_id, source=1)
    before = await world.snapshot(model_id)
    for target in (version, None):
        with pytest.raises(InvalidTransition) as caught:
            await _delete(world, model_id, target)
        assert caught.value.details() == {"from": stage, "to": "deleted"}

    assert await world.snapshot(model_id) == before
    assert await world.registry.artifacts.files(f"{world.tenant}/models/{model_id}/2")


async def test_what_is_not_there_is_not_found(local: RegistryFixture, model_id: str) -> None:
    """An unknown model, an unknown version, and one that was deleted before."""
    with pytest.raises(ModelNotFound):
        await _delete(local, model_id)
    await local.version(model_id)
    with pytest.raises(VersionNotFound):
        await _delete(local, model_id, 2)
    await _delete(local, model_id, 1)
    with pytest.raises(VersionNotFound):
        await _delete(local, model_id, 1)
    with pytest.raises(ModelNotFound):
        await _delete(local, model_id)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
async def test_only_admins_delete(local: RegistryFixture, model_id: str, role: Role) -> None:
    """Every other role is refused."""
    with pytest.raises(PermissionDenied):
        await _delete(local, model_id, actor=Principal("eve", frozenset({role})))


@pytest.mark.parametrize("reason", ["", None, 1, "\0"])
async def test_a_deletion_needs_a_reason(
    local: RegistryFixture, model_id: str, reason: Any
) -> None:
    """Refused before anything is looked at."""
    with pytest.raises(InvalidInput) as caught:
        await _delete(local, model_id, reason=reason)

    assert caught.value.field == "reason"


@pytest.mark.parametrize("way", ["rolled back", "retired and back", "emptied"])
async def test_what_ever_was_in_production_is_kept(
    world: RegistryFixture, model_id: str, way: str
) -> None:
    """Also once it is in development again, alone and with its model."""
    if way == "rolled back":
        await world.promoted(model_id)
    version = await world.promoted(model_id, source=1)
    if way == "rolled back":
        await world.roll_back(model_id)
    if way == "retired and back":
        await world.move(model_id, version, "archived", reason="out of season")
    if way != "rolled back":
        await world.move(model_id, version, "development", reason="again")
    before = await world.snapshot(model_id)
    for target in (version, None):
        with pytest.raises(InvalidTransition, match="was in production"):
            await _delete(world, model_id, target)

    assert (await world.stages(model_id))[version] == "development"
    assert await world.snapshot(model_id) == before
    assert await world.registry.artifacts.files(f"{world.tenant}/models/{model_id}/{version}")
