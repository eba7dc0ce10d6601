"""The files that reach production, and that MLflow serves then, are those that were registered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture

from model_lifecycle.registry.domain.errors import BundleCorrupt
from model_lifecycle.registry.domain.stages import Stage

DAMAGES = ["changed", "truncated", "missing", "added", "manifest", "all"]


async def _damage(world: RegistryFixture, folder: str, damage: str) -> str:
    """Do it to the files in ``folder``; what the refusal has to name."""
    artifacts = world.registry.artifacts
    data = await artifacts.get_bytes(f"{folder}/model.skops")
    match damage:
        case "changed":
            changed = data[:-1] + bytes([data[-1] ^ 1])
            await artifacts.put_bytes(f"{folder}/model.skops", changed)
            return "model.skops is different"
        case "truncated":
            await artifacts.put_bytes(f"{folder}/model.skops", data[:-1])
            return "model.skops is different"
        case "missing":
            await artifacts.delete_file(f"{folder}/MLmodel")
            return "MLmodel is missing"
        case "added":
            await artifacts.put_bytes(f"{folder}/code/evil.py", b"import os")
            return "code/evil.py was added"
        case "manifest":
            await artifacts.put_bytes(f"{folder}/manifest.json", b"{}")
            return "manifest.json has the digest"
        case _:
            await artifacts.delete_folder(folder)
            return "manifest.json is missing"


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("force", [False, True], ids=["judged", "forced"])
async def test_a_damaged_bundle_is_not_promoted(
    local: RegistryFixture, model_id: str, damage: str, force: bool
) -> None:
    """The file is named, and nothing has changed, whatever the evidence says."""
    await local.promoted(model_id)
    version = await local.staged(model_id)
    if not force:
        await local.judged(model_id, version)
    named = await _damage(local, f"{local.tenant}/models/{model_id}/{version}", damage)
    before = await local.snapshot(model_id)
    with pytest.raises(BundleCorrupt, match=named) as caught:
        await local.move(model_id, version, "production", force=force, reason="urgent")

    assert caught.value.version == version
    assert await local.snapshot(model_id) == before


async def test_a_damaged_bundle_can_be_taken_out_of_the_way(
    local: RegistryFixture, model_id: str
) -> None:
    """Only the way into production asks for the files: any other step is taken without them."""
    version = await local.staged(model_id)
    await _damage(local, f"{local.tenant}/models/{model_id}/{version}", "all")
    await local.move(model_id, version, "development", reason="its files are gone")

    assert await local.stages(model_id) == {version: Stage.DEVELOPMENT.value}


async def test_a_file_changed_in_the_bundle_stops_the_promotion_on_every_store(
    world: RegistryFixture, model_id: str
) -> None:
    """Also in S3, where the object is another one."""
    version = await world.staged(model_id)
    await world.judged(model_id, version)
    named = await _damage(world, f"{world.tenant}/models/{model_id}/{version}", "changed")
    with pytest.raises(BundleCorrupt, match=named):
        await world.move(model_id, version, "production")

    assert await world.stages(model_id) == {version: "staging"}


def _load_by_alias(world: RegistryFixture, model_id: str) -> Any:
    """The model as a serving system loads it that has nothing but MLflow."""
    import mlflow

    tracking, registry = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    mlflow.set_tracking_uri(world.registry.settings.tracking_uri)
    mlflow.set_registry_uri(world.registry.settings.tracking_uri)
    try:
        return mlflow.sklearn.load_model(f"models:/{world.tenant}.{model_id}@production")
    finally:
        mlflow.set_tracking_uri(tracking)
        mlflow.set_registry_uri(registry)


async def test_the_alias_leads_to_the_bundle(local: RegistryFixture, model_id: str) -> None:
    """Whatever becomes of the files that were logged: they are not what is served. Loading with
    MLflow alone, which leaves a note of its own in the folder, is no damage."""
    version = await local.promoted(model_id)
    stored = await local.registry.get_version(local.tenant, model_id, version)
    assert stored is not None
    logged = f"{local.tenant}/runs/models/{stored.logged_model_id}/artifacts"
    data = await local.registry.artifacts.get_bytes(f"{logged}/model.skops")
    await local.registry.artifacts.put_bytes(f"{logged}/model.skops", b"other")
    served = await asyncio.to_thread(_load_by_alias, local, model_id)
    await local.registry.artifacts.put_bytes(f"{logged}/model.skops", data)

    assert served.C == 1.0
    await local.registry.verify_files(local.tenant, model_id, version)
    assert await local.registry.load_model(local.tenant, model_id)
    findings = await local.registry.reconcile(local.tenant)
    assert [item for item in findings if item.model_id == model_id] == []


async def test_what_production_serves_is_read_by_reconcile(
    local: RegistryFixture, model_id: str
) -> None:
    """A file that differs is damage each time, and named; nothing of it is healed."""
    version = await local.promoted(model_id)
    folder = f"{local.tenant}/models/{model_id}/{version}"
    named = await _damage(local, folder, "changed")
    for _ in range(2):
        findings = await local.registry.reconcile(local.tenant)
        damage = [item for item in findings if item.model_id == model_id]
        assert [(item.code, item.version, item.healed) for item in damage] == [
            ("files_differ", version, False)
        ]
        assert named in damage[0].message


async def _registered_before(
    world: RegistryFixture, model_id: str, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A staged, judged version whose source in MLflow is the logged model's folder, as earlier
    releases registered it; that folder."""
    tracking = world.registry._stores.tracking
    with monkeypatch.context() as patch:
        patch.setattr(tracking, "accepts_source", lambda uri: False)
        version = await world.staged(model_id)
    await world.judged(model_id, version)
    stored = await world.registry.get_version(world.tenant, model_id, version)
    assert stored is not None
    return f"{world.tenant}/runs/models/{stored.logged_model_id}/artifacts"


@pytest.mark.parametrize("damage", ["changed", "truncated", "missing", "added", "all"])
async def test_a_copy_that_mlflow_serves_is_compared(
    apart: RegistryFixture, model_id: str, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """Where MLflow serves another folder than the bundle: a difference stops the promotion, and
    is damage for reconcile and for who verifies the files."""
    folder = await _registered_before(apart, model_id, monkeypatch)
    named = await _damage(apart, folder, damage)
    named = "is missing" if damage == "all" else named
    before = await apart.snapshot(model_id)
    with pytest.raises(BundleCorrupt, match=f"{folder}, .*{named}"):
        await apart.move(model_id, 1, "production")
    with pytest.raises(BundleCorrupt, match=named):
        await apart.registry.verify_files(apart.tenant, model_id, 1)

    assert await apart.snapshot(model_id) == before


async def test_a_copy_that_changes_in_production_is_damage(
    apart: RegistryFixture, model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reconcile reads what is served, not only what was proved."""
    folder = await _registered_before(apart, model_id, monkeypatch)
    await apart.move(model_id, 1, "production")
    quiet = await apart.registry.reconcile(apart.tenant)
    named = await _damage(apart, folder, "changed")
    findings = await apart.registry.reconcile(apart.tenant)

    assert quiet == []
    assert [(item.code, item.healed) for item in findings] == [("files_differ", False)]
    assert named in findings[0].message
