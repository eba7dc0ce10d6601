"""Registration: from an object, a logged model, a run or a folder; complete, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture, new_name, trained

from model_lifecycle.registry.artifacts.bundle import verify_bundle
from model_lifecycle.registry.domain import artifact_paths
from model_lifecycle.registry.domain.authorization import Principal, Role
from model_lifecycle.registry.domain.errors import (
    ArtifactNotFound,
    InvalidInput,
    InvalidName,
    ModelNotFound,
    PermissionDenied,
    RunNotFound,
    UnknownFramework,
    UntrustedModel,
)
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.domain.models import EntryKind, ModelMetadata
from model_lifecycle.registry.domain.stages import Stage


async def _register(world: RegistryFixture, model_id: str, **changes: Any) -> ModelMetadata:
    """Register a fitted object with all that may be told about it."""
    told = trained()
    arguments: dict[str, Any] = {
        "model": told.model,
        "framework": told.framework,
        "metrics": told.metrics,
        "parameters": told.parameters,
        "tags": told.tags,
        "description": "late flights",
        "input_example": told.input_example,
        "training_log": told.training_log,
        "dataset": told.dataset,
        "created_by": "kim",
    }
    return await world.registry.register_model(world.tenant, model_id, **{**arguments, **changes})


async def test_a_fitted_object_becomes_a_version(world: RegistryFixture, model_id: str) -> None:
    """All that was told about it is told again, and the first version is in development."""
    model = await _register(world, model_id)

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
    await _register(world, model_id)
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
    await _register(world, model_id)
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
    await _register(world, model_id, operation_id=f"{model_id}/register")
    version = await world.registry.get_version(world.tenant, model_id, 1)
    assert version is not None
    shown = by_hand.get_model_version(f"{world.tenant}.{model_id}", "1")
    model = by_hand.get_registered_model(f"{world.tenant}.{model_id}")

    assert shown.run_id == version.run_id
    assert shown.tags["lifecycle.stage"] == "development"
    assert shown.tags["lifecycle.bundle_digest"] == version.bundle_digest
    assert shown.tags["lifecycle.operation_id"] == f"{model_id}/register"
    assert (model.tags["stage"], model.tags["framework"]) == ("development", "sklearn")
    assert model.aliases == {}
    assert by_hand.get_run(version.run_id).data.metrics["accuracy"] == 0.95


async def test_the_ledger_says_who_registered(world: RegistryFixture, model_id: str) -> None:
    """The first entry of a model is its registration."""
    await _register(
        world, model_id, created_by=Principal("ci", frozenset({Role.CONTRIBUTOR}), "kim")
    )
    (entry,) = await world.history(model_id)

    assert (entry.kind, entry.actor, entry.sequence) == (EntryKind.REGISTERED, "ci for kim", 1)
    assert [(move.version, move.source, move.target) for move in entry.moves] == [
        (1, None, Stage.DEVELOPMENT)
    ]
    assert await world.registry.verify_ledger(world.tenant, model_id) == 1


async def test_a_logged_model_becomes_a_version(world: RegistryFixture, model_id: str) -> None:
    """What the source's run knows does not have to be said again."""
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
    await _register(world, model_id, run_id=first.run_id, metrics={}, parameters={})
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


REFUSED: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "unknown framework": ({"framework": "prophet"}, UnknownFramework),
    "framework in another case": ({"framework": "SKLearn"}, UnknownFramework),
    "no framework for an object": ({"framework": None}, UnknownFramework),
    "model type": ({"model_type": "ranking"}, InvalidInput),
    "NaN metric": ({"metrics": {"auc": float("nan")}}, InvalidInput),
    "infinite metric": ({"metrics": {"auc": float("inf")}}, InvalidInput),
    "metric in words": ({"metrics": {"auc": "high"}}, InvalidInput),
    "metric of an odd name": ({"metrics": {"a\n": 1.0}}, InvalidInput),
    "metrics without names": ({"metrics": [0.5]}, InvalidInput),
    "the registry's tag of the stage": ({"tags": {"stage": "production"}}, InvalidInput),
    "the registry's tag of the digest": ({"tags": {"lifecycle.bundle_digest": "x"}}, InvalidInput),
    "a tag of MLflow's own": ({"tags": {"mlflow.user": "eve"}}, InvalidInput),
    "tag with NUL": ({"tags": {"a": "\0"}}, InvalidInput),
    "tag of half a letter": ({"tags": {"a": "\ud800"}}, InvalidInput),
    "parameter without end": ({"parameters": {"a": "x" * 5001}}, InvalidInput),
    "description with NUL": ({"description": "\0"}, InvalidInput),
    "description that is none": ({"description": None}, InvalidInput),
    "data set of NaN": ({"dataset": {"rows": float("nan")}}, InvalidInput),
    "data set that is none": ({"dataset": "flights"}, InvalidInput),
    "training log of bytes": ({"training_log": b"x"}, InvalidInput),
    "no model": ({"model": None}, InvalidInput),
    "a function": ({"model": len}, InvalidInput),
    "an address of elsewhere": ({"model": "s3://other/model"}, InvalidInput),
    "a path that climbs": ({"model": "runs:/" + "a" * 32 + "/../../x"}, ArtifactNotFound),
    "an absent logged model": ({"model": "models:/m-" + "0" * 32}, ArtifactNotFound),
    "an absent run": ({"model": "runs:/" + "0" * 32 + "/model"}, ArtifactNotFound),
    "an address with a line end": ({"model": "models:/m-" + "0" * 32 + "\n"}, InvalidInput),
    "a folder without a model": ({"model": Path("/tmp")}, InvalidInput),
    "a folder that is not there": ({"model": Path("/nowhere/at/all")}, InvalidInput),
    "a run that is not there": ({"run_id": "f" * 32}, RunNotFound),
    "a run of odd form": ({"run_id": "' OR 1=1"}, RunNotFound),
    "nobody": ({"created_by": ""}, InvalidInput),
    "a viewer": ({"created_by": Principal("eve", frozenset({Role.VIEWER}))}, PermissionDenied),
    "a promoter": ({"created_by": Principal("eve", frozenset({Role.PROMOTER}))}, PermissionDenied),
    "an odd operation id": ({"operation_id": "a\n"}, InvalidName),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_registered_changes_nothing(
    local: RegistryFixture, model_id: str, case: str
) -> None:
    """A refused registration leaves no model, no run in MLflow and no file."""
    changes, error = REFUSED[case]
    with pytest.raises(error):
        await _register(local, model_id, **changes)

    assert await local.registry.get_model(local.tenant, model_id) is None
    assert model_id not in {
        item.model_id for item in await local.registry.list_experiments(local.tenant)
    }
    assert await local.registry.artifacts.files(f"{local.tenant}/models/{model_id}") == []


@pytest.mark.parametrize("name", ["", "a\n", "..", "a\0", "a" * 300, "a/b", ".a", None, "ä"])
async def test_bad_names_are_refused(local: RegistryFixture, name: Any) -> None:
    """Neither a model nor a tenant of such a name comes to be."""
    with pytest.raises(InvalidName):
        await _register(local, name)
    with pytest.raises(InvalidName):
        await local.registry.register_model(
            name, "model", trained().model, "sklearn", {}, {}, created_by="kim"
        )


async def test_a_model_that_is_not_fitted_is_refused(local: RegistryFixture, model_id: str) -> None:
    """The error says so, and nothing of it reaches MLflow."""
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(InvalidInput, match="fitted"):
        await _register(local, model_id, model=LogisticRegression())

    assert await local.registry.get_model(local.tenant, model_id) is None


async def test_a_model_with_code_of_its_own_is_refused(
    local: RegistryFixture, model_id: str
) -> None:
    """A type that nobody reviewed is named, and not registered."""
    from sklearn.linear_model import LogisticRegression

    class Homemade(LogisticRegression):  # type: ignore[misc]  # scikit-learn ships no types
        pass

    told = trained()
    frame = told.input_example.assign(late=[0, 1, 1])
    with pytest.raises((UntrustedModel, InvalidInput)):
        await _register(
            local, model_id, model=Homemade().fit(frame[["delay", "wind"]], frame["late"])
        )

    assert await local.registry.get_model(local.tenant, model_id) is None


async def test_another_model_type_needs_another_name(world: RegistryFixture, by_hand: Any) -> None:
    """A model stays what it is; the refused version exists nowhere, in MLflow neither."""
    model_id = new_name()
    await world.version(model_id)
    before = await world.snapshot(model_id)
    with pytest.raises(InvalidInput, match="a name of its own"):
        await world.version(model_id, source=1, model_type="regression")

    shown = by_hand.search_model_versions(f"name = '{world.tenant}.{model_id}'")
    assert await world.snapshot(model_id) == before
    assert [int(item.version) for item in shown] == [1]
    assert await world.registry.artifacts.files(f"{world.tenant}/models/{model_id}/2") == []
