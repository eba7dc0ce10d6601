"""Experiments and runs of a tenant: metrics step by step, and runs side by side."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import pytest_asyncio
from support.registry_fixture import RegistryFixture, new_name, trained

from model_lifecycle.registry.domain.errors import ExperimentNotFound, InvalidInput, RunNotFound
from model_lifecycle.registry.model_registry import ModelRegistry


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def laboratory(registry: ModelRegistry) -> tuple[RegistryFixture, list[str]]:
    """A tenant with three runs in two experiments."""
    world = RegistryFixture(registry, f"lab-{uuid.uuid4().hex[:8]}")
    runs = []
    for model, auc in (("churn", 0.7), ("churn", 0.8), ("fraud", 0.9)):
        logged = await registry.log_model(
            world.tenant, model, trained(metrics={"auc": auc}), created_by="kim"
        )
        runs.append(logged.run_id)
    return world, runs


async def test_experiments_are_those_of_the_models(
    laboratory: tuple[RegistryFixture, list[str]],
) -> None:
    """One a model, by name, with its files in the tenant's folder."""
    world, _ = laboratory
    experiments = await world.registry.list_experiments(world.tenant)

    assert [(item.model_id, item.name) for item in experiments] == [
        (model, f"tenants/{world.tenant}/models/{model}") for model in ("churn", "fraud")
    ]
    assert {item.artifact_location for item in experiments} == {
        world.registry.artifacts.uri(f"{world.tenant}/runs")
    }


async def test_runs_are_those_of_the_experiment(
    laboratory: tuple[RegistryFixture, list[str]],
) -> None:
    """With what was logged; finished, since the registry ends the runs that it makes."""
    world, runs = laboratory
    churn, _ = await world.registry.list_experiments(world.tenant)
    listed = await world.registry.list_runs(world.tenant, churn.experiment_id)

    assert {item.run_id for item in listed} == set(runs[:2])
    assert {item.status for item in listed} == {"FINISHED"}
    assert {item.metrics["auc"] for item in listed} == {0.7, 0.8}


async def test_runs_stand_side_by_side(laboratory: tuple[RegistryFixture, list[str]]) -> None:
    """In the order asked for, across experiments; a metric that a run has not is None."""
    world, runs = laboratory
    run_ids = [runs[2], runs[0], runs[2]]
    comparison = await world.registry.compare_runs(world.tenant, run_ids, ["auc", "brier"])

    assert [item["run_id"] for item in comparison] == run_ids
    assert [item["metrics"] for item in comparison] == [
        {"auc": 0.9, "brier": None},
        {"auc": 0.7, "brier": None},
        {"auc": 0.9, "brier": None},
    ]
    assert comparison[0]["parameters"] == {"C": "1.0"}


async def test_a_run_of_a_new_experiment_is_compared_at_once(registry: ModelRegistry) -> None:
    """The tenant's experiments are remembered for a while; a run that is missing in them is looked
    for again in the current ones."""
    world = RegistryFixture(registry, f"lab-{uuid.uuid4().hex[:8]}")
    runs = []
    for model in ("churn", "fraud"):
        logged = await registry.log_model(world.tenant, model, trained(), created_by="kim")
        runs.append(logged.run_id)
        comparison = await registry.compare_runs(world.tenant, runs, ["auc"])

        assert [item["run_id"] for item in comparison] == runs


async def test_remembered_experiments_are_not_asked_for_again(
    laboratory: tuple[RegistryFixture, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comparing costs one search, also for another set of the tenant's runs."""
    world, runs = laboratory
    await world.registry.compare_runs(world.tenant, runs, ["auc"])
    tracking = world.registry._tracking

    async def refused(_tenant: str) -> None:
        raise AssertionError("experiments were asked for again")

    monkeypatch.setattr(tracking, "experiments", refused)
    comparison = await world.registry.compare_runs(world.tenant, runs[:1], ["auc"])

    assert [item["run_id"] for item in comparison] == runs[:1]


@pytest.mark.parametrize(
    ("runs", "metrics"),
    [
        ([], ["auc"]),
        (None, ["auc"]),
        ("0" * 32, ["auc"]),
        ([1], ["auc"]),
        (["0" * 32] * 501, ["auc"]),
        (["0" * 32], None),
        (["0" * 32], "auc"),
        (["0" * 32], [7]),
        ({"a": 1}, ["auc"]),
        (7, ["auc"]),
    ],
    ids=lambda value: repr(value)[:20],
)
async def test_odd_comparisons_are_refused(local: RegistryFixture, runs: Any, metrics: Any) -> None:
    """The error names the list."""
    with pytest.raises(InvalidInput) as caught:
        await local.registry.compare_runs(local.tenant, runs, metrics)

    assert caught.value.field in ("run_ids", "metrics")


@pytest.mark.parametrize("run", ["0" * 32, "' OR 1=1 --", "", "a\0b", "../x", "x" * 1000, "é"])
async def test_the_first_run_that_is_not_there_is_named(
    laboratory: tuple[RegistryFixture, list[str]], run: str
) -> None:
    """Whatever it looks like; no text of a caller becomes part of a query."""
    world, runs = laboratory
    with pytest.raises(RunNotFound) as caught:
        await world.registry.compare_runs(world.tenant, [runs[0], run], ["auc"])

    assert caught.value.name == run


@pytest.mark.parametrize("experiment", ["0", "999999", "", "1 OR 1=1", None, 1])
async def test_experiments_of_others_are_not_found(
    laboratory: tuple[RegistryFixture, list[str]], experiment: Any
) -> None:
    """MLflow's default experiment is nobody's."""
    world, _ = laboratory
    with pytest.raises(ExperimentNotFound):
        await world.registry.list_runs(world.tenant, experiment)


async def test_metrics_are_logged_step_by_step(world: RegistryFixture, by_hand: Any) -> None:
    """The run's history has each step once."""
    logged = await world.registry.log_model(world.tenant, new_name(), trained(), created_by="kim")
    for step, loss in ((1, 0.9), (2, 0.5), (10, 0.25)):
        await world.registry.log_training_metrics(world.tenant, logged.run_id, step, {"loss": loss})
    points = by_hand.get_metric_history(logged.run_id, "loss")

    assert [(point.step, point.value) for point in points] == [(1, 0.9), (2, 0.5), (10, 0.25)]


@pytest.mark.parametrize(
    ("step", "metrics"),
    [
        (-1, {"loss": 1.0}),
        (1.5, {"loss": 1.0}),
        ("1", {"loss": 1.0}),
        (True, {"loss": 1.0}),
        (2**53, {"loss": 1.0}),
        (1, {"loss": float("nan")}),
        (1, {"loss": "low"}),
        (1, {"": 1.0}),
        (1, {"a\n": 1.0}),
        (1, None),
        (1, [1.0]),
    ],
)
async def test_odd_metrics_are_refused(local: RegistryFixture, step: Any, metrics: Any) -> None:
    """Before the run is looked for."""
    with pytest.raises(InvalidInput):
        await local.registry.log_training_metrics(local.tenant, "0" * 32, step, metrics)
