"""Registrations that are refused change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture, new_name, register_object, trained

from model_lifecycle.registry.domain.authorization import Principal, Role
from model_lifecycle.registry.domain.errors import (
    ArtifactNotFound,
    InvalidInput,
    InvalidName,
    PermissionDenied,
    RunNotFound,
    UnknownFramework,
    UntrustedModel,
)

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
        await register_object(local, model_id, **changes)

    assert await local.registry.get_model(local.tenant, model_id) is None
    assert model_id not in {
        item.model_id for item in await local.registry.list_experiments(local.tenant)
    }
    assert await local.registry.artifacts.files(f"{local.tenant}/models/{model_id}") == []


@pytest.mark.parametrize("name", ["", "a\n", "..", "a\0", "a" * 300, "a/b", ".a", None, "ä"])
async def test_bad_names_are_refused(local: RegistryFixture, name: Any) -> None:
    """Neither a model nor a tenant of such a name comes to be."""
    with pytest.raises(InvalidName):
        await register_object(local, name)
    with pytest.raises(InvalidName):
        await local.registry.register_model(
            name, "model", trained().model, "sklearn", {}, {}, created_by="kim"
        )


async def test_a_model_that_is_not_fitted_is_refused(local: RegistryFixture, model_id: str) -> None:
    """The error says so, and nothing of it reaches MLflow."""
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(InvalidInput, match="fitted"):
        await register_object(local, model_id, model=LogisticRegression())

    assert await local.registry.get_model(local.tenant, model_id) is None


async def test_a_model_with_code_of_its_own_is_refused(
    local: RegistryFixture, model_id: str
) -> None:
    """A type that nobody reviewed is named, and not registered."""
    from sklearn.linear_model import LogisticRegression

    class Homemade(LogisticRegression):  # type: ignore[misc]  # scikit-learn ships no types
        pass

    trained_model = trained()
    frame = trained_model.input_example.assign(late=[0, 1, 1])
    with pytest.raises((UntrustedModel, InvalidInput)):
        await register_object(
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

    projected = by_hand.search_model_versions(f"name = '{world.tenant}.{model_id}'")
    assert await world.snapshot(model_id) == before
    assert [int(item.version) for item in projected] == [1]
    assert await world.registry.artifacts.files(f"{world.tenant}/models/{model_id}/2") == []
