"""Registration: from an object, a logged model, a run or a folder; complete, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture, register_object, trained

from model_lifecycle.registry.artifacts.bundle_verification import verify_bundle
from model_lifecycle.registry.domain import artifact_paths
from model_lifecycle.registry.domain.authorization import Principal, Role
from model_lifecycle.registry.domain.errors import (
    ModelNotFound,
)
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.domain.models import EntryKind
from model_lifecycle.registry.domain.stages import Stage


async def test_a_fitted_object_becomes_a_version(world: RegistryFixture, model_id: str) -> None:
    """The version has all that was stated about it, and is in development."""
    model = await register_object(world, model_id)

    assert (model.model_id, model.tenant_id, model.name) == (model_id, world.tenant, model_id)
    assert (model.current_version, model.versions) == (1, (1,))
    assert (model.stage, model.production_version) == (Stage.DEVELOPMENT, None)
    assert (model.framework, model.model_type) == ("sklearn", "classification")
    assert model.metrics == {"accuracy": 0.95, "auc": 0.9}
    assert model.parameters == {"C": "1.0"}
    assert model.tags["team"] == "flights"
    assert model.tags["dataset.start"] == "2013-01-01"
    assert (model.description, model.created_by) == ("late flights", "kim")
    assert model == await world.registry.get_model(world.tenant, model_id)


async def test_the_bundle_is_complete(world: RegistryFixture, model_id: str) -> None:
    """Model, card, requirements and manifest lie at the version's path, and its digest fits."""
    await register_object(world, model_id)
    version = await world.registry.get_version(world.tenant, model_id, 1)
    assert version is not None
    tenant, model = TenantId(world.tenant), ModelId(model_id)
    manifest = await verify_bundle(
        world.registry.artifacts, tenant, model, 1, version.bundle_digest
    )
    folder = artifact_paths.bundle(tenant, model, 1)
    card = (await world.registry.artifacts.get_bytes(f"{folder}/model_card.md")).decode()
    pins = (await world.registry.artifacts.get_bytes(f"{folder}/requirements.txt")).decode()

    assert version.artifact_uri == world.registry.artifacts.uri(folder)
    assert {"MLmodel", "model.skops", "model_card.md", "requirements.txt"} <= set(manifest.files)
    assert "late flights" in card
    assert "accuracy" in card
    assert "scikit-learn==" in pins


async def test_run_logs_and_metrics_are_kept(world: RegistryFixture, model_id: str) -> None:
    """The run's training log and metrics history lie at their paths."""
    await register_object(world, model_id)
    version = await world.registry.get_version(world.tenant, model_id, 1)
    assert version is not None
    assert version.run_id is not None
    artifacts, tenant = world.registry.artifacts, TenantId(world.tenant)
    logs = artifact_paths.training_logs(tenant, version.run_id)
    history = artifact_paths.metrics_history(tenant, version.run_id)

    assert await artifacts.get_bytes(f"{logs}/training.log") == b"epoch 1\n"
    points = json.loads(await artifacts.get_bytes(f"{history}/history.json"))
    assert [point["value"] for point in points["accuracy"]] == [0.95]


async def test_mlflow_shows_the_version_with_its_lineage(
    world: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """In MLflow the version leads to its run, with our tags and without an alias."""
    await register_object(world, model_id, operation_id=f"{model_id}/register")
    version = await world.registry.get_version(world.tenant, model_id, 1)
    assert version is not None
    projected = by_hand.get_model_version(f"{world.tenant}.{model_id}", "1")
    model = by_hand.get_registered_model(f"{world.tenant}.{model_id}")

    assert projected.run_id == version.run_id
    assert projected.tags["lifecycle.stage"] == "development"
    assert projected.tags["lifecycle.bundle_digest"] == version.bundle_digest
    assert projected.tags["lifecycle.operation_id"] == f"{model_id}/register"
    assert (model.tags["stage"], model.tags["framework"]) == ("development", "sklearn")
    assert model.aliases == {}
    assert by_hand.get_run(version.run_id).data.metrics["accuracy"] == 0.95


async def test_the_ledger_says_who_registered(world: RegistryFixture, model_id: str) -> None:
    """The first entry of a model is its registration."""
    await register_object(
        world, model_id, created_by=Principal("ci", frozenset({Role.CONTRIBUTOR}), "kim")
    )
    (entry,) = await world.history(model_id)

    assert (entry.kind, entry.actor, entry.sequence) == (EntryKind.REGISTERED, "ci for kim", 1)
    assert [(move.version, move.source, move.target) for move in entry.moves] == [
        (1, None, Stage.DEVELOPMENT)
    ]
    assert await world.registry.verify_ledger(world.tenant, model_id) == 1


async def test_a_logged_model_becomes_a_version(world: RegistryFixture, model_id: str) -> None:
    """Metrics and parameters of the source's run need not be passed again."""
    model = await world.registry.register_model(
        world.tenant, model_id, world.sources[1], None, None, None, created_by="kim"
    )
    version = await world.registry.get_version(world.tenant, model_id, 1)

    assert (model.framework, model.metrics) == ("sklearn", {"accuracy": 0.95, "auc": 0.9})
    assert model.parameters == {"C": "0.1"}
    assert version is not None
    assert version.logged_model_id == world.sources[1].removeprefix("models:/")


async def test_what_is_said_wins_over_the_run(world: RegistryFixture, model_id: str) -> None:
    """Metrics and parameters that the caller gives are those of the version."""
    model = await world.registry.register_model(
        world.tenant, model_id, world.sources[0], "sklearn", {"f1": 0.5}, {"C": 7}, created_by="kim"
    )

    assert (model.metrics, model.parameters) == ({"f1": 0.5}, {"C": "7"})


async def test_a_models_path_in_its_run_becomes_a_version(
    world: RegistryFixture, model_id: str
) -> None:
    """``runs:/<run>/<name>`` finds the model that the run logged under that name."""
    logged = await world.registry.log_model(world.tenant, model_id, trained(), created_by="kim")
    model = await world.registry.register_model(
        world.tenant,
        model_id,
        f"runs:/{logged.run_id}/{model_id}",
        None,
        None,
        None,
        created_by="k",
    )

    assert model.metrics == {"accuracy": 0.95, "auc": 0.9}
    assert model.versions == (1,)


async def test_a_folder_becomes_a_version(
    world: RegistryFixture, model_id: str, tmp_path: Path
) -> None:
    """An MLflow model folder can be handed over as it is; it is not changed."""
    import mlflow.sklearn

    folder = tmp_path / "saved"
    mlflow.sklearn.save_model(
        trained().model,
        str(folder),
        serialization_format="skops",
        pip_requirements=["scikit-learn"],
    )
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    model = await world.registry.register_model(
        world.tenant, model_id, folder, None, {"auc": 0.8}, {"C": 1}, created_by="kim"
    )
    predictor = await world.registry.load_model(world.tenant, model_id, 1)

    assert (model.framework, model.metrics) == ("sklearn", {"auc": 0.8})
    assert len(predictor.predict(trained().input_example)) == 3
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


async def test_a_run_of_the_tenant_gets_the_model(world: RegistryFixture, model_id: str) -> None:
    """A training that logs metrics step by step hands its run over, with its whole history."""
    first = await world.registry.log_model(world.tenant, model_id, trained(), created_by="kim")
    await world.registry.log_training_metrics(world.tenant, first.run_id, 1, {"loss": 0.7})
    await world.registry.log_training_metrics(world.tenant, first.run_id, 2, {"loss": 0.5})
    await register_object(world, model_id, run_id=first.run_id, metrics={}, parameters={})
    version = await world.registry.get_version(world.tenant, model_id, 1)
    assert version is not None
    path = artifact_paths.metrics_history(TenantId(world.tenant), first.run_id)
    points = json.loads(await world.registry.artifacts.get_bytes(f"{path}/history.json"))

    assert version.run_id == first.run_id
    assert [(point["step"], point["value"]) for point in points["loss"]] == [(1, 0.7), (2, 0.5)]


async def test_the_next_version_comes_from_a_source(world: RegistryFixture, model_id: str) -> None:
    """Versions are counted, and the newest is the current one while none is further."""
    await world.version(model_id)
    model = await world.registry.create_version(
        world.tenant, model_id, world.sources[1], created_by="kim"
    )

    assert (model.current_version, model.versions) == (2, (1, 2))


async def test_a_version_of_a_model_that_does_not_exist(
    world: RegistryFixture, model_id: str
) -> None:
    """``create_version`` makes no model."""
    with pytest.raises(ModelNotFound):
        await world.registry.create_version(
            world.tenant, model_id, world.sources[0], created_by="kim"
        )

    assert await world.registry.get_model(world.tenant, model_id) is None


async def test_logging_a_model_registers_nothing(world: RegistryFixture, model_id: str) -> None:
    """A logged model is in MLflow only."""
    logged = await world.registry.log_model(world.tenant, model_id, trained(), created_by="kim")

    assert logged.document() == {
        "run_id": logged.run_id,
        "model_uri": logged.model_uri,
        "framework": "sklearn",
        "model_type": "classification",
        "metrics": {"accuracy": 0.95, "auc": 0.9},
    }
    assert await world.registry.get_model(world.tenant, model_id) is None
