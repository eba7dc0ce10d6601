"""Workers on one ledger keep their files in one place, or are told that they do not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.registry_fixture import RegistryFixture, trained

from model_lifecycle.registry.domain.errors import BundleCorrupt, InvalidInput
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.settings import Settings


async def _one_in_production(settings: Settings, model_id: str) -> RegistryFixture:
    """Version 1 in production, version 2 staged and judged; the registry is closed again."""
    async with open_registry(settings) as registry:
        logged = await registry.log_model("acme", "origin", trained(), created_by="kim")
        world = RegistryFixture(registry, "acme", (logged.model_uri,))
        await world.promoted(model_id)
        await world.promoted(model_id)
        await world.staged(model_id)
        await world.judged(model_id, 3)
        return world


async def test_a_worker_with_another_root_is_told_both(
    new_settings: Settings, model_id: str, tmp_path: Path
) -> None:
    """Loading, promoting, rolling back and registering: each names the two places, and nothing is
    changed."""
    world = await _one_in_production(new_settings, model_id)
    elsewhere = new_settings.with_values(artifact_root=str(tmp_path / "elsewhere"))
    async with open_registry(elsewhere) as registry:
        other = RegistryFixture(registry, "acme", world.sources)
        before = await other.snapshot(model_id)
        for call in (
            registry.load_model("acme", model_id),
            other.move(model_id, 3, "production"),
            other.roll_back(model_id),
            other.version(model_id),
            other.version("another-model"),
            registry.verify_files("acme", model_id, 1),
        ):
            with pytest.raises(InvalidInput) as caught:
                await call
            assert caught.value.field == "artifact_root"
            assert str(Path(new_settings.artifact_root)) in str(caught.value)
            assert str(tmp_path / "elsewhere") in str(caught.value)

        assert await other.snapshot(model_id) == before
    assert not (tmp_path / "elsewhere").exists()


async def test_files_that_were_moved_all_together_are_no_other_root(
    new_settings: Settings, model_id: str, tmp_path: Path
) -> None:
    """What counts is that the versions' files are there."""
    world = await _one_in_production(new_settings, model_id)
    shutil.move(new_settings.artifact_root, tmp_path / "moved")
    moved = new_settings.with_values(artifact_root=str(tmp_path / "moved"))
    async with open_registry(moved) as registry:
        assert await registry.load_model("acme", model_id)
        await RegistryFixture(registry, "acme", world.sources).roll_back(model_id)


async def test_a_bundle_that_is_gone_from_the_right_root_is_corrupt(
    new_settings: Settings, model_id: str
) -> None:
    """The setting is not to blame then."""
    await _one_in_production(new_settings, model_id)
    shutil.rmtree(Path(new_settings.artifact_root) / "acme" / "models" / model_id / "2")
    async with open_registry(new_settings) as registry:
        with pytest.raises(BundleCorrupt, match=r"manifest\.json is missing"):
            await registry.load_model("acme", model_id)
