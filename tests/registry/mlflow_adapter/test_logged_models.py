from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_lifecycle.registry.domain.errors import (
    ArtifactNotFound,
    BackendUnavailable,
    InvalidInput,
)
from model_lifecycle.registry.domain.identifiers import TenantId, model_id
from model_lifecycle.registry.mlflow_adapter import tags
from model_lifecycle.registry.mlflow_adapter.client import MlflowTracking
from model_lifecycle.registry.mlflow_adapter.records import LoggedModelRecord

OPERATION = "dag/run's/task"
Save = Callable[..., Path]


@pytest.fixture
async def experiment(tracking: MlflowTracking, tenant: TenantId, artifact_root: str) -> str:
    return await tracking.ensure_experiment(tenant, model_id("churn"), artifact_root)


async def log(
    tracking: MlflowTracking, experiment: str, folder: Path, **values: Any
) -> LoggedModelRecord:
    given: dict[str, Any] = {
        "name": "churn.v2",
        "run_id": None,
        "framework": "sklearn",
        "tags": {},
        "parameters": {},
        "artifacts": None,
    }
    return await tracking.log_model_folder(experiment, folder=folder, **{**given, **values})


async def test_a_model_is_logged_with_its_lineage(
    tracking: MlflowTracking, experiment: str, saved_model: Save
) -> None:
    """It is READY, belongs to its run, and carries tags, parameters and framework."""
    run_id = await tracking.create_run(experiment, name="january", tags={})
    model = await log(
        tracking,
        experiment,
        saved_model(),
        run_id=run_id,
        tags={tags.OPERATION_ID: OPERATION},
        parameters={"depth": "3"},
    )

    assert ("READY", run_id, experiment) == (model.status, model.run_id, model.experiment_id)
    assert model.parameters == {"depth": "3"}
    assert (model.tags[tags.OPERATION_ID], model.tags[tags.FRAMEWORK]) == (OPERATION, "sklearn")
    assert model == await tracking.logged_model(model.model_id)


async def test_the_folder_is_what_was_stored(
    tracking: MlflowTracking, experiment: str, saved_model: Save, tmp_path: Path
) -> None:
    """Run and model ids are in MLmodel, and every file comes back byte for byte."""
    run_id = await tracking.create_run(experiment, name="january", tags={})
    folder = saved_model("payload")
    model = await log(tracking, experiment, folder, run_id=run_id)
    await tracking.download(model.artifact_uri, tmp_path / "copy")
    description = yaml.safe_load((folder / "MLmodel").read_text())

    assert (run_id, model.model_id) == (description["run_id"], description["model_id"])
    assert contents(folder) == contents(tmp_path / "copy")


async def test_a_model_is_found_by_its_operation(
    tracking: MlflowTracking, experiment: str, saved_model: Save, tenant: TenantId, tmp_path: Path
) -> None:
    """Of two models of one operation the newest is found; other experiments are not looked at."""
    labels = {tags.OPERATION_ID: OPERATION}
    await log(tracking, experiment, saved_model("first"), tags=labels)
    second = await log(tracking, experiment, saved_model("second"), tags=labels)
    await log(tracking, experiment, saved_model("other"), tags={tags.OPERATION_ID: "other"})
    elsewhere = await tracking.ensure_experiment(tenant, model_id("other"), str(tmp_path / "o"))

    assert second == await tracking.find_logged_model(experiment, OPERATION)
    assert await tracking.find_logged_model(experiment, OPERATION + "x") is None
    assert await tracking.find_logged_model(elsewhere, OPERATION) is None


async def test_a_model_whose_upload_failed_is_never_found(
    tracking: MlflowTracking, experiment: str, saved_model: Save
) -> None:
    """It stays PENDING: the next try logs another one."""

    class FullStore:
        def path_of(self, uri: str) -> str:
            return uri

        async def put_folder(self, path: str, folder: Path) -> None:
            raise BackendUnavailable("artifact store", "disk is full")

    labels = {tags.OPERATION_ID: OPERATION}
    with pytest.raises(BackendUnavailable, match="disk is full"):
        await log(tracking, experiment, saved_model(), tags=labels, artifacts=FullStore())

    assert await tracking.find_logged_model(experiment, OPERATION) is None


async def test_the_models_of_a_run(
    tracking: MlflowTracking, experiment: str, saved_model: Save
) -> None:
    """Those that the run made, and none of another run's."""
    runs = [await tracking.create_run(experiment, name=name, tags={}) for name in "ab"]
    models = [await log(tracking, experiment, saved_model(), run_id=run) for run in runs]

    assert [models[0]] == await tracking.logged_models_of_run(experiment, runs[0])


@pytest.mark.parametrize("bad", ["m-" + "f" * 32, "m-1", "", "x' OR '1'='1", "../x", "é"])
async def test_what_is_not_there_is_none(tracking: MlflowTracking, bad: str) -> None:
    """An unknown id and what is no id at all give the same answer."""
    assert await tracking.logged_model(bad) is None


async def test_a_folder_without_a_model_is_refused(
    tracking: MlflowTracking, experiment: str, tmp_path: Path
) -> None:
    """Nothing is created for it in MLflow."""
    with pytest.raises(InvalidInput, match="MLmodel"):
        await log(tracking, experiment, tmp_path, tags={tags.OPERATION_ID: OPERATION})

    assert await tracking.find_logged_model(experiment, OPERATION) is None


async def test_files_that_are_not_there_cannot_be_downloaded(
    tracking: MlflowTracking, tmp_path: Path
) -> None:
    """The error names the place."""
    with pytest.raises(ArtifactNotFound, match="nowhere"):
        await tracking.download(str(tmp_path / "nowhere"), tmp_path / "copy")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
