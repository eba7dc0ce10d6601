"""Loading: the version asked for, verified before anything of it is loaded."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture, trained

from model_lifecycle.registry.domain.errors import (
    BundleCorrupt,
    InvalidInput,
    InvalidName,
    ModelNotFound,
    VersionNotFound,
)


async def _slope(world: RegistryFixture, model_id: str, **selection: Any) -> float:
    """The coefficient by which the two models differ."""
    predictor: Any = await world.registry.load_model(world.tenant, model_id, **selection)
    return float(abs(predictor.model.coef_).sum())


async def test_a_loaded_model_predicts_as_the_one_that_was_registered(
    world: RegistryFixture, model_id: str
) -> None:
    """The same rows give the same scores, and the signature's columns are known."""
    await world.version(model_id)
    frame = trained().input_example
    predictor = await world.registry.load_model(world.tenant, model_id, 1)
    expected = trained().model.predict_proba(frame)[:, 1]
    scores = predictor.scores(frame)

    assert scores is not None
    assert scores.tolist() == expected.tolist()
    assert [column.name for column in predictor.columns or ()] == ["delay", "wind"]


async def test_the_version_asked_for_is_loaded(world: RegistryFixture, model_id: str) -> None:
    """By number, by stage, or the one in production."""
    await world.promoted(model_id)
    await world.staged(model_id, source=1)
    strong = await _slope(world, model_id, version=1)
    weak = await _slope(world, model_id, version=2)

    assert strong != weak
    assert await _slope(world, model_id) == strong
    assert await _slope(world, model_id, stage="production") == strong
    assert await _slope(world, model_id, stage="staging") == weak


@pytest.mark.parametrize("name", ["model.skops", "MLmodel", "requirements.txt"])
async def test_files_that_were_changed_are_not_loaded(
    world: RegistryFixture, model_id: str, name: str
) -> None:
    """Whichever file it is: it is named, and none of it was loaded."""
    await world.version(model_id)
    path = f"{world.tenant}/models/{model_id}/1/{name}"
    data = await world.registry.artifacts.get_bytes(path)
    await world.registry.artifacts.put_bytes(path, data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BundleCorrupt, match=f"{name} is different"):
        await world.registry.load_model(world.tenant, model_id, 1)


async def test_a_manifest_that_fits_changed_files_is_no_help(
    local: RegistryFixture, model_id: str
) -> None:
    """A changed file with a changed manifest does not change the digest in the ledger."""
    await local.version(model_id)
    await local.version(model_id)
    artifacts, folder = local.registry.artifacts, f"{local.tenant}/models/{model_id}"
    data = await artifacts.get_bytes(f"{folder}/2/manifest.json")
    await artifacts.put_bytes(f"{folder}/1/manifest.json", data)
    with pytest.raises(BundleCorrupt, match="manifest"):
        await local.registry.load_model(local.tenant, model_id, 1)


async def test_what_is_not_there_is_not_loaded(local: RegistryFixture, model_id: str) -> None:
    """An unknown model, version or stage is not found; a version and a stage are one too many."""
    registry, tenant = local.registry, local.tenant
    with pytest.raises(ModelNotFound):
        await registry.load_model(tenant, model_id)
    await local.version(model_id)
    with pytest.raises(VersionNotFound):
        await registry.load_model(tenant, model_id, 2)
    with pytest.raises(VersionNotFound, match="in production"):
        await registry.load_model(tenant, model_id, stage="production")
    with pytest.raises(InvalidInput):
        await registry.load_model(tenant, model_id, 1, "development")
    with pytest.raises(InvalidInput):
        await registry.load_model(tenant, model_id, stage="deleted")
    with pytest.raises(InvalidName):
        await registry.load_model(tenant, model_id, 0)


async def test_without_a_name_only_production_is_loaded(
    local: RegistryFixture, model_id: str
) -> None:
    """A version that nobody promoted, or one that is staged, is never taken instead."""
    registry, tenant = local.registry, local.tenant
    await local.version(model_id)
    with pytest.raises(VersionNotFound, match=r"in production.*promote one, or name the version"):
        await registry.load_model(tenant, model_id)
    await local.promoted(model_id)
    assert await registry.load_model(tenant, model_id)
    await local.staged(model_id)
    await local.move(model_id, 2, "archived", reason="it discriminates")
    with pytest.raises(VersionNotFound, match="in production"):
        await registry.load_model(tenant, model_id)


async def test_requirements_that_are_not_met_are_named(
    local: RegistryFixture,
    model_id: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The model is loaded, and a warning names what is another version here."""
    await local.version(model_id)
    installed = metadata.version
    monkeypatch.setattr(
        metadata, "version", lambda name: "0.1" if name == "scikit-learn" else installed(name)
    )
    with caplog.at_level("WARNING"):
        assert await local.registry.load_model(local.tenant, model_id, 1)

    assert f"scikit-learn=={installed('scikit-learn')} (installed is 0.1)" in caplog.text
    assert "nothing was installed" in caplog.text
