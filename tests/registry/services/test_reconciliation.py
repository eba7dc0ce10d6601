"""Reconcile: tells what somebody did in MLflow by hand, heals or adopts, and then stands still."""

from __future__ import annotations

from typing import Any

from support.registry_fixture import RegistryFixture, new_name, trained

from model_lifecycle.registry.domain.models import EntryKind, Finding
from model_lifecycle.registry.domain.stages import Stage
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.settings import Settings


async def _reconcile(apart: RegistryFixture, model_id: str) -> list[Finding]:
    """The findings about the model; a second run right after finds the damage alone."""
    findings = await apart.registry.reconcile(apart.tenant)
    before = await apart.snapshot(model_id)
    again = await apart.registry.reconcile(apart.tenant)
    assert [item for item in again if item.healed] == []
    assert await apart.snapshot(model_id) == before
    return [item for item in findings if item.model_id == model_id]


def _codes(findings: list[Finding]) -> list[tuple[str, int | None, bool]]:
    return [(item.code, item.version, item.healed) for item in findings]


def _name(apart: RegistryFixture, model_id: str) -> str:
    return f"{apart.tenant}.{model_id}"


async def test_what_agrees_is_left_alone(apart: RegistryFixture, model_id: str) -> None:
    """A model in every stage gives no finding and no entry."""
    await apart.promoted(model_id)
    await apart.promoted(model_id, source=0)
    await apart.staged(model_id)
    await apart.version(model_id)
    before = await apart.snapshot(model_id)

    assert await _reconcile(apart, model_id) == []
    assert await apart.snapshot(model_id) == before


async def test_a_moved_alias_is_put_back(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """The ledger is right: readers never saw the other version."""
    await apart.promoted(model_id)
    await apart.promoted(model_id, source=0)
    by_hand.set_registered_model_alias(_name(apart, model_id), "production", "1")
    model = await apart.registry.get_model(apart.tenant, model_id)
    findings = await _reconcile(apart, model_id)

    assert model is not None
    assert model.production_version == 2
    assert _codes(findings) == [("alias_moved", 2, True)]
    assert "version 1" in findings[0].message
    projected = by_hand.get_model_version_by_alias(_name(apart, model_id), "production")
    assert int(projected.version) == 2


async def test_an_alias_where_nothing_is_in_production_goes(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """Also one that was removed where something is."""
    await apart.staged(model_id)
    by_hand.set_registered_model_alias(_name(apart, model_id), "production", "1")
    first = await _reconcile(apart, model_id)
    await apart.judged(model_id, 1)
    await apart.move(model_id, 1, "production")
    by_hand.delete_registered_model_alias(_name(apart, model_id), "production")
    second = await _reconcile(apart, model_id)

    assert _codes(first) == [("alias_moved", None, True)]
    assert _codes(second) == [("alias_moved", 1, True)]


async def test_edited_tags_are_restored(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """Ours only: what others tagged stays."""
    await apart.promoted(model_id)
    name = _name(apart, model_id)
    by_hand.set_model_version_tag(name, "1", "lifecycle.stage", "staging")
    by_hand.delete_model_version_tag(name, "1", "lifecycle.bundle_digest")
    by_hand.set_model_version_tag(name, "1", "reviewed", "yes")
    by_hand.set_registered_model_tag(name, "stage", "archived")
    findings = await _reconcile(apart, model_id)
    projected = by_hand.get_model_version(name, "1")

    assert _codes(findings) == [("tags_edited", 1, True), ("tags_edited", None, True)]
    assert projected.tags["lifecycle.stage"] == "production"
    assert projected.tags["lifecycle.bundle_digest"].startswith("sha256:")
    assert projected.tags["reviewed"] == "yes"
    assert by_hand.get_registered_model(name).tags["stage"] == "production"


async def test_a_version_registered_by_hand_is_adopted(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """As development, with a bundle of its own and an entry that says where it came from."""
    await apart.promoted(model_id)
    version = await apart.registry.get_version(apart.tenant, model_id, 1)
    assert version is not None
    logged = await apart.registry.log_model(apart.tenant, model_id, trained(), created_by="lee")
    by_hand.create_model_version(
        _name(apart, model_id),
        source=by_hand.get_logged_model(logged.model_uri.removeprefix("models:/")).artifact_location
        if by_hand.tracking_uri.startswith("sqlite")
        else logged.model_uri,
        run_id=logged.run_id,
        model_id=None
        if by_hand.tracking_uri.startswith("sqlite")
        else logged.model_uri.removeprefix("models:/"),
    )
    findings = await _reconcile(apart, model_id)
    entry = (await apart.history(model_id))[-1]
    adopted = await apart.registry.get_version(apart.tenant, model_id, 2)

    assert _codes(findings) == [("adopted", 2, True)]
    assert (entry.kind, entry.actor) == (EntryKind.ADOPTED, "reconcile")
    assert adopted is not None
    assert (adopted.stage, adopted.framework) == (Stage.DEVELOPMENT, "sklearn")
    assert adopted.metrics == {"accuracy": 0.95, "auc": 0.9}
    assert await apart.registry.load_model(apart.tenant, model_id, 2) is not None
    assert await apart.registry.verify_ledger(apart.tenant, model_id) == len(
        await apart.history(model_id)
    )


async def test_a_model_registered_by_hand_is_adopted(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """A whole model that the ledger has never heard of, if it is named like one of the tenant."""
    name = _name(apart, model_id)
    logged = await apart.registry.log_model(apart.tenant, model_id, trained(), created_by="lee")
    folder = by_hand.get_logged_model(logged.model_uri.removeprefix("models:/")).artifact_location
    by_hand.create_registered_model(name)
    by_hand.create_model_version(name, source=folder, run_id=logged.run_id)
    findings = await _reconcile(apart, model_id)

    assert _codes(findings) == [("adopted", 1, True)]
    assert await apart.stages(model_id) == {1: "development"}
    assert by_hand.get_registered_model(name).tags["stage"] == "development"


async def test_adopting_names_metrics_that_are_no_numbers(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """The version is adopted without them, which a finding of its own says."""
    logged = await apart.registry.log_model(apart.tenant, model_id, trained(), created_by="lee")
    by_hand.log_metric(logged.run_id, "val_auc", float("nan"))
    folder = by_hand.get_logged_model(logged.model_uri.removeprefix("models:/")).artifact_location
    by_hand.create_registered_model(_name(apart, model_id))
    by_hand.create_model_version(_name(apart, model_id), source=folder, run_id=logged.run_id)
    findings = await _reconcile(apart, model_id)

    assert _codes(findings) == [("adopted", 1, True), ("metrics_omitted", 1, True)]
    assert "val_auc (NaN)" in findings[1].message


async def test_what_lies_elsewhere_is_not_adopted(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """A version whose files are not the tenant's is reported each time, and left alone."""
    await apart.version(model_id)
    other = f"umbrella-{new_name('x')}"
    logged = await apart.registry.log_model(other, "secret", trained(), created_by="eve")
    folder = by_hand.get_logged_model(logged.model_uri.removeprefix("models:/")).artifact_location
    by_hand.create_model_version(_name(apart, model_id), source=folder)
    findings = await _reconcile(apart, model_id)

    assert _codes(findings) == [("cannot_adopt", 2, False)]
    assert await apart.stages(model_id) == {1: "development"}
    await apart.registry.artifacts.delete_folder(f"{other}")
    by_hand.delete_model_version(_name(apart, model_id), "2")


async def test_a_deleted_version_is_told_as_damage(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """Each time, since it cannot be brought back under its number; its bundle is untouched."""
    await apart.promoted(model_id)
    await apart.version(model_id)
    by_hand.delete_model_version(_name(apart, model_id), "2")
    findings = await _reconcile(apart, model_id)

    assert _codes(findings) == [("deleted_in_mlflow", 2, False)]
    assert _codes(await _reconcile(apart, model_id)) == [("deleted_in_mlflow", 2, False)]
    assert await apart.stages(model_id) == {1: "production", 2: "development"}
    assert await apart.registry.load_model(apart.tenant, model_id, 2) is not None


async def test_a_deleted_production_version_is_not_hidden(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """It is damage by a name of its own, and the model can still be used, promoted and rolled
    back."""
    await apart.promoted(model_id)
    name = _name(apart, model_id)
    by_hand.delete_model_version(name, "1")
    findings = await _reconcile(apart, model_id)
    model = await apart.registry.get_model(apart.tenant, model_id)
    await apart.promoted(model_id, source=0)
    stages = await apart.stages(model_id)
    back = await apart.roll_back(model_id)

    assert _codes(findings) == [("production_deleted_in_mlflow", 1, False)]
    assert model is not None
    assert model.production_version == 1
    assert stages == {1: "archived", 2: "production"}
    assert back.production_version == 1
    assert _codes(await _reconcile(apart, model_id)) == [("production_deleted_in_mlflow", 1, False)]


async def test_drift_beside_damage_is_healed(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """A version that is lost does not keep another from being put right."""
    await apart.promoted(model_id)
    await apart.version(model_id)
    name = _name(apart, model_id)
    by_hand.delete_model_version(name, "1")
    by_hand.set_registered_model_alias(name, "production", "2")
    by_hand.set_model_version_tag(name, "2", "lifecycle.stage", "production")
    findings = await _reconcile(apart, model_id)

    assert _codes(findings) == [
        ("production_deleted_in_mlflow", 1, False),
        ("alias_moved", None, True),
        ("tags_edited", 2, True),
    ]
    assert by_hand.get_registered_model(name).aliases == {}


async def test_a_model_deleted_in_mlflow_goes_on(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """All its versions are reported as damage; the next registration makes a new version, under a
    number that was never used."""
    await apart.promoted(model_id)
    await apart.version(model_id)
    by_hand.delete_registered_model(_name(apart, model_id))
    findings = await _reconcile(apart, model_id)
    number = await apart.version(model_id, source=0)
    stages = await apart.stages(model_id)

    assert _codes(findings) == [
        ("production_deleted_in_mlflow", 1, False),
        ("deleted_in_mlflow", 2, False),
    ]
    assert number == 3
    assert stages == {1: "production", 2: "development", 3: "development"}
    assert _codes(await _reconcile(apart, model_id)) == _codes(findings)


async def test_a_deleted_version_that_is_back_goes_again(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """Files that remained of a deletion go too."""
    await apart.version(model_id)
    await apart.version(model_id)
    await apart.registry.delete_model(apart.tenant, model_id, 2, actor="kim", reason="a mistake")
    path = f"{apart.tenant}/models/{model_id}/2/MLmodel"
    await apart.registry.artifacts.put_bytes(path, b"left")
    findings = await _reconcile(apart, model_id)

    assert _codes(findings) == [("files_left", 2, True)]
    assert await apart.registry.artifacts.files(f"{apart.tenant}/models/{model_id}/2") == []


async def test_all_tenants_at_once(new_settings: Settings, model_id: str) -> None:
    """Without a tenant, everything is compared; models of nobody's name are left alone."""
    from mlflow import MlflowClient

    uri = new_settings.tracking_uri
    by_hand = MlflowClient(tracking_uri=uri, registry_uri=uri)
    async with open_registry(new_settings) as registry:
        for tenant in ("acme", "umbrella"):
            logged = await registry.log_model(tenant, model_id, trained(), created_by="kim")
            await RegistryFixture(registry, tenant, (logged.model_uri,)).promoted(model_id)
            by_hand.delete_registered_model_alias(f"{tenant}.{model_id}", "production")
        by_hand.create_registered_model("Stray_model")
        findings = await registry.reconcile()

    assert [(item.model_id, item.code) for item in findings] == [(model_id, "alias_moved")] * 2
    assert by_hand.get_registered_model("Stray_model").tags == {}
    assert findings[0].document()["message"].startswith("the alias")
