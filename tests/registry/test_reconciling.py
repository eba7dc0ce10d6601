"""Reconcile: tells what somebody did in MLflow by hand, heals or adopts, and then stands still."""

from __future__ import annotations

from typing import Any

import pytest
from scenery.world import World, new_name, trained

from model_lifecycle.registry.rules.metadata import EntryKind, Finding
from model_lifecycle.registry.rules.stages import Stage


async def _reconcile(world: World, model_id: str) -> list[Finding]:
    """What is found about the model; and what is found right after has to be the damage alone."""
    found = await world.registry.reconcile(world.tenant)
    before = await world.seen(model_id)
    again = await world.registry.reconcile(world.tenant)
    assert [item for item in again if item.healed] == []
    assert await world.seen(model_id) == before
    return [item for item in found if item.model_id == model_id]


def _codes(findings: list[Finding]) -> list[tuple[str, int | None, bool]]:
    return [(item.code, item.version, item.healed) for item in findings]


def _name(world: World, model_id: str) -> str:
    return f"{world.tenant}.{model_id}"


async def test_what_agrees_is_left_alone(world: World, model_id: str) -> None:
    """A model in every stage gives no finding and no entry."""
    await world.promoted(model_id)
    await world.promoted(model_id, source=1)
    await world.staged(model_id)
    await world.version(model_id)
    before = await world.seen(model_id)

    assert await _reconcile(world, model_id) == []
    assert await world.seen(model_id) == before


async def test_a_moved_alias_is_put_back(world: World, by_hand: Any, model_id: str) -> None:
    """The ledger is right: readers never saw the other version."""
    await world.promoted(model_id)
    await world.promoted(model_id, source=1)
    by_hand.set_registered_model_alias(_name(world, model_id), "production", "1")
    model = await world.registry.get_model(world.tenant, model_id)
    findings = await _reconcile(world, model_id)

    assert model is not None
    assert model.production_version == 2
    assert _codes(findings) == [("alias_moved", 2, True)]
    assert "version 1" in findings[0].message
    found = by_hand.get_model_version_by_alias(_name(world, model_id), "production")
    assert int(found.version) == 2


async def test_an_alias_where_nothing_is_in_production_goes(
    local: World, by_hand: Any, model_id: str
) -> None:
    """Also one that was removed where something is."""
    if by_hand.tracking_uri != local.registry.settings.tracking_uri:
        pytest.skip("the other backend")
    await local.staged(model_id)
    by_hand.set_registered_model_alias(_name(local, model_id), "production", "1")
    first = await _reconcile(local, model_id)
    await local.judged(model_id, 1)
    await local.move(model_id, 1, "production")
    by_hand.delete_registered_model_alias(_name(local, model_id), "production")
    second = await _reconcile(local, model_id)

    assert _codes(first) == [("alias_moved", None, True)]
    assert _codes(second) == [("alias_moved", 1, True)]


async def test_edited_tags_are_restored(world: World, by_hand: Any, model_id: str) -> None:
    """Ours only: what others tagged stays."""
    await world.promoted(model_id)
    name = _name(world, model_id)
    by_hand.set_model_version_tag(name, "1", "lifecycle.stage", "staging")
    by_hand.delete_model_version_tag(name, "1", "lifecycle.bundle_digest")
    by_hand.set_model_version_tag(name, "1", "reviewed", "yes")
    by_hand.set_registered_model_tag(name, "stage", "archived")
    findings = await _reconcile(world, model_id)
    shown = by_hand.get_model_version(name, "1")

    assert _codes(findings) == [("tags_edited", 1, True), ("tags_edited", None, True)]
    assert shown.tags["lifecycle.stage"] == "production"
    assert shown.tags["lifecycle.bundle_digest"].startswith("sha256:")
    assert shown.tags["reviewed"] == "yes"
    assert by_hand.get_registered_model(name).tags["stage"] == "production"


async def test_a_version_registered_by_hand_is_adopted(
    world: World, by_hand: Any, model_id: str
) -> None:
    """As development, with a bundle of its own and an entry that says where it came from."""
    await world.promoted(model_id)
    version = await world.registry.get_version(world.tenant, model_id, 1)
    assert version is not None
    logged = await world.registry.log_model(world.tenant, model_id, trained(), created_by="lee")
    by_hand.create_model_version(
        _name(world, model_id),
        source=by_hand.get_logged_model(logged.model_uri.removeprefix("models:/")).artifact_location
        if by_hand.tracking_uri.startswith("sqlite")
        else logged.model_uri,
        run_id=logged.run_id,
        model_id=None
        if by_hand.tracking_uri.startswith("sqlite")
        else logged.model_uri.removeprefix("models:/"),
    )
    findings = await _reconcile(world, model_id)
    entry = (await world.history(model_id))[-1]
    adopted = await world.registry.get_version(world.tenant, model_id, 2)

    assert _codes(findings) == [("adopted", 2, True)]
    assert (entry.kind, entry.actor) == (EntryKind.ADOPTED, "reconcile")
    assert adopted is not None
    assert (adopted.stage, adopted.framework) == (Stage.DEVELOPMENT, "sklearn")
    assert adopted.metrics == {"accuracy": 0.95, "auc": 0.9}
    assert await world.registry.load_model(world.tenant, model_id, 2) is not None
    assert await world.registry.verify_ledger(world.tenant, model_id) == len(
        await world.history(model_id)
    )


async def test_a_model_registered_by_hand_is_adopted(
    world: World, by_hand: Any, model_id: str
) -> None:
    """A whole model that the ledger has never heard of, if it is named like one of the tenant."""
    name = _name(world, model_id)
    logged = await world.registry.log_model(world.tenant, model_id, trained(), created_by="lee")
    folder = by_hand.get_logged_model(logged.model_uri.removeprefix("models:/")).artifact_location
    by_hand.create_registered_model(name)
    by_hand.create_model_version(name, source=folder, run_id=logged.run_id)
    findings = await _reconcile(world, model_id)

    assert _codes(findings) == [("adopted", 1, True)]
    assert await world.stages(model_id) == {1: "development"}
    assert by_hand.get_registered_model(name).tags["stage"] == "development"


async def test_what_lies_elsewhere_is_not_adopted(
    world: World, by_hand: Any, model_id: str
) -> None:
    """A version whose files are not the tenant's is told each time, and left alone."""
    await world.version(model_id)
    other = f"umbrella-{new_name('x')}"
    logged = await world.registry.log_model(other, "secret", trained(), created_by="eve")
    folder = by_hand.get_logged_model(logged.model_uri.removeprefix("models:/")).artifact_location
    by_hand.create_model_version(_name(world, model_id), source=folder)
    findings = await _reconcile(world, model_id)

    assert _codes(findings) == [("cannot_adopt", 2, False)]
    assert await world.stages(model_id) == {1: "development"}
    await world.registry.artifacts.delete_folder(f"{other}")
    by_hand.delete_model_version(_name(world, model_id), "2")


async def test_a_deleted_version_is_told_as_damage(
    world: World, by_hand: Any, model_id: str
) -> None:
    """Each time, since it cannot be brought back under its number; its bundle is untouched."""
    await world.promoted(model_id)
    await world.version(model_id)
    by_hand.delete_model_version(_name(world, model_id), "2")
    findings = await _reconcile(world, model_id)

    assert _codes(findings) == [("deleted_in_mlflow", 2, False)]
    assert _codes(await _reconcile(world, model_id)) == [("deleted_in_mlflow", 2, False)]
    assert await world.stages(model_id) == {1: "production", 2: "development"}
    assert await world.registry.load_model(world.tenant, model_id, 2) is not None


async def test_a_deleted_production_version_is_not_hidden(
    world: World, by_hand: Any, model_id: str
) -> None:
    """It is damage by a name of its own, and the model can still be used, promoted and rolled
    back."""
    await world.promoted(model_id)
    name = _name(world, model_id)
    by_hand.delete_model_version(name, "1")
    findings = await _reconcile(world, model_id)
    model = await world.registry.get_model(world.tenant, model_id)
    await world.promoted(model_id, source=1)
    stages = await world.stages(model_id)
    back = await world.roll_back(model_id)

    assert _codes(findings) == [("production_deleted_in_mlflow", 1, False)]
    assert model is not None
    assert model.production_version == 1
    assert stages == {1: "archived", 2: "production"}
    assert back.production_version == 1
    assert _codes(await _reconcile(world, model_id)) == [("production_deleted_in_mlflow", 1, False)]


async def test_drift_beside_damage_is_healed(world: World, by_hand: Any, model_id: str) -> None:
    """A version that is lost does not keep another from being put right."""
    await world.promoted(model_id)
    await world.version(model_id)
    name = _name(world, model_id)
    by_hand.delete_model_version(name, "1")
    by_hand.set_registered_model_alias(name, "production", "2")
    by_hand.set_model_version_tag(name, "2", "lifecycle.stage", "production")
    findings = await _reconcile(world, model_id)

    assert _codes(findings) == [
        ("production_deleted_in_mlflow", 1, False),
        ("alias_moved", None, True),
        ("tags_edited", 2, True),
    ]
    assert by_hand.get_registered_model(name).aliases == {}


async def test_a_model_deleted_in_mlflow_goes_on(world: World, by_hand: Any, model_id: str) -> None:
    """All its versions are told as damage; the next registration makes a new version, under a
    number that was never used."""
    await world.promoted(model_id)
    await world.version(model_id)
    by_hand.delete_registered_model(_name(world, model_id))
    findings = await _reconcile(world, model_id)
    number = await world.version(model_id, source=1)
    stages = await world.stages(model_id)

    assert _codes(findings) == [
        ("production_deleted_in_mlflow", 1, False),
        ("deleted_in_mlflow", 2, False),
    ]
    assert number == 3
    assert stages == {1: "production", 2: "development", 3: "development"}
    assert _codes(await _reconcile(world, model_id)) == _codes(findings)


async def test_a_deleted_version_that_is_back_goes_again(
    world: World, by_hand: Any, model_id: str
) -> None:
    """Files that remained of a deletion go too."""
    await world.version(model_id)
    await world.version(model_id)
    await world.registry.delete_model(world.tenant, model_id, 2, actor="kim", reason="a mistake")
    path = f"{world.tenant}/models/{model_id}/2/MLmodel"
    await world.registry.artifacts.put_bytes(path, b"left")
    findings = await _reconcile(world, model_id)

    assert _codes(findings) == [("files_left", 2, True)]
    assert await world.registry.artifacts.files(f"{world.tenant}/models/{model_id}/2") == []


async def test_all_tenants_at_once(world: World, by_hand: Any, model_id: str) -> None:
    """Without a tenant, everything is compared; models of nobody's name are left alone."""
    await world.promoted(model_id)
    by_hand.delete_registered_model_alias(_name(world, model_id), "production")
    stray = f"Stray_{new_name('x')}"
    by_hand.create_registered_model(stray)
    findings = await world.registry.reconcile()

    assert [item.code for item in findings if item.model_id == model_id] == ["alias_moved"]
    assert by_hand.get_registered_model(stray).tags == {}
    assert all(item.message and item.document()["code"] == item.code for item in findings)
