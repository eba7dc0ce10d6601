"""What reaches production, and what MLflow serves then, are the files that were registered."""

from __future__ import annotations

import pytest
from scenery.world import World

from model_lifecycle.registry.rules.errors import BundleCorrupt
from model_lifecycle.registry.rules.stages import Stage

DAMAGES = ["changed", "truncated", "missing", "added", "manifest", "all"]


async def _damage(world: World, folder: str, damage: str) -> str:
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
    local: World, model_id: str, damage: str, force: bool
) -> None:
    """The file is named, and nothing has changed, whatever the evidence says."""
    await local.promoted(model_id)
    version = await local.staged(model_id)
    if not force:
        await local.judged(model_id, version)
    named = await _damage(local, f"{local.tenant}/models/{model_id}/{version}", damage)
    before = await local.seen(model_id)
    with pytest.raises(BundleCorrupt, match=named) as caught:
        await local.move(model_id, version, "production", force=force, reason="urgent")

    assert caught.value.version == version
    assert await local.seen(model_id) == before


async def test_a_damaged_bundle_can_be_taken_out_of_the_way(local: World, model_id: str) -> None:
    """Only the way into production asks for the files: any other step is taken without them."""
    version = await local.staged(model_id)
    await _damage(local, f"{local.tenant}/models/{model_id}/{version}", "all")
    await local.move(model_id, version, "development", reason="its files are gone")

    assert await local.stages(model_id) == {version: Stage.DEVELOPMENT.value}


async def test_a_file_changed_in_the_bundle_stops_the_promotion_on_every_store(
    world: World, model_id: str
) -> None:
    """Also in S3, where the object is another one."""
    version = await world.staged(model_id)
    await world.judged(model_id, version)
    named = await _damage(world, f"{world.tenant}/models/{model_id}/{version}", "changed")
    with pytest.raises(BundleCorrupt, match=named):
        await world.move(model_id, version, "production")

    assert await world.stages(model_id) == {version: "staging"}
