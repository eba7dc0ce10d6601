from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from model_lifecycle.registry.domain.errors import ExperimentNotFound, InvalidInput, RunNotFound
from model_lifecycle.registry.domain.identifiers import TenantId, model_id
from model_lifecycle.registry.mlflow_adapter import runs as runs_module
from model_lifecycle.registry.mlflow_adapter import tags
from model_lifecycle.registry.mlflow_adapter.client import MlflowTracking

OPERATION = "dag/run 'quoted' \"twice\"/task/-1"
MISSING = "f" * 32


@pytest.fixture
async def experiment(tracking: MlflowTracking, tenant: TenantId, artifact_root: str) -> str:
    return await tracking.ensure_experiment(tenant, model_id("churn"), artifact_root)


async def test_a_run_tells_what_was_logged(tracking: MlflowTracking, experiment: str) -> None:
    """Name, times, metrics, parameters and tags come back as they were written."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    run_id = await tracking.create_run(experiment, name="january", tags={"who": "ann"})
    await tracking.log_run(
        run_id, metrics={"auc": 0.75}, parameters={"depth": "3"}, tags={"data": "flights"}
    )
    running = await tracking.run(run_id)
    await tracking.finish_run(run_id)
    run = await tracking.run(run_id)

    assert running is not None
    assert (running.status, running.ended_at) == ("RUNNING", None)
    assert run is not None
    assert ("january", experiment, "FINISHED") == (run.name, run.experiment_id, run.status)
    assert run.metrics == {"auc": 0.75}
    assert run.parameters == {"depth": "3"}
    assert (run.tags["who"], run.tags["data"]) == ("ann", "flights")
    assert run.started_at is not None
    assert run.ended_at is not None
    assert before < run.started_at <= run.ended_at
    assert f"{run_id}/artifacts" in run.artifact_uri


async def test_more_than_mlflow_takes_at_once_is_logged_in_batches(
    tracking: MlflowTracking, experiment: str
) -> None:
    """1500 metrics, 250 parameters and 150 tags all arrive."""
    run_id = await tracking.create_run(experiment, name="many", tags={})
    await tracking.log_run(
        run_id,
        metrics={f"m{i}": float(i) for i in range(1500)},
        parameters={f"p{i}": str(i) for i in range(250)},
        tags={f"t{i}": str(i) for i in range(150)},
    )
    run = await tracking.run(run_id)

    assert run is not None
    assert {f"m{i}": float(i) for i in range(1500)} == run.metrics
    assert {f"p{i}": str(i) for i in range(250)} == run.parameters
    assert {f"t{i}": str(i) for i in range(150)}.items() <= run.tags.items()


async def test_logging_nothing_is_fine(tracking: MlflowTracking, experiment: str) -> None:
    """Empty metrics, parameters and tags change nothing."""
    run_id = await tracking.create_run(experiment, name="empty", tags={})
    await tracking.log_run(run_id, metrics={}, parameters={}, tags={})
    run = await tracking.run(run_id)

    assert run is not None
    assert (run.metrics, run.parameters) == ({}, {})


async def test_a_parameter_cannot_be_logged_with_another_value(
    tracking: MlflowTracking, experiment: str
) -> None:
    """The same value again is fine; another one is the caller's mistake."""
    run_id = await tracking.create_run(experiment, name="fixed", tags={})
    await tracking.log_run(run_id, metrics={}, parameters={"depth": "3"}, tags={})
    await tracking.log_run(run_id, metrics={}, parameters={"depth": "3"}, tags={})

    with pytest.raises(InvalidInput, match="depth"):
        await tracking.log_run(run_id, metrics={}, parameters={"depth": "4"}, tags={})


async def test_metrics_keep_their_history(tracking: MlflowTracking, experiment: str) -> None:
    """Each step is a point, in order of steps; the run shows the last."""
    run_id = await tracking.create_run(experiment, name="epochs", tags={})
    for step in (2, 0, 1):
        await tracking.log_metrics(run_id, step, {"loss": 1.0 / (step + 1), "auc": 0.5})
    history = await tracking.metric_history(run_id)
    run = await tracking.run(run_id)

    assert sorted(history) == ["auc", "loss"]
    assert [(p.step, p.value) for p in history["loss"]] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert run is not None
    assert run.metrics["loss"] == 1 / 3


async def test_a_run_is_found_by_its_operation(tracking: MlflowTracking, experiment: str) -> None:
    """An operation id with quotes finds its run and no other; a half of it finds none."""
    other = await tracking.create_run(experiment, name="other", tags={tags.OPERATION_ID: "other"})
    run_id = await tracking.create_run(experiment, name="x", tags={tags.OPERATION_ID: OPERATION})
    run = await tracking.find_run(experiment, OPERATION)

    assert other != run_id
    assert run is not None
    assert run_id == run.run_id
    assert await tracking.find_run(experiment, OPERATION[:-1]) is None


async def test_search_stays_within_the_experiments(
    tracking: MlflowTracking, experiment: str, tenant: TenantId, artifact_root: str
) -> None:
    """A run of another experiment is not found, even when asked for by its id."""
    other = await tracking.ensure_experiment(tenant, model_id("other"), artifact_root)
    own = await tracking.create_run(experiment, name="own", tags={})
    foreign = await tracking.create_run(other, name="foreign", tags={})
    both = [own, foreign, MISSING, own]

    assert [own] == [run.run_id for run in await tracking.search_runs([experiment], run_ids=both)]
    assert [own] == [run.run_id for run in await tracking.search_runs([experiment])]
    assert {own, foreign} == {
        run.run_id for run in await tracking.search_runs([experiment, other], run_ids=both)
    }
    assert await tracking.search_runs([], run_ids=both) == []


async def test_a_search_tells_of_a_run_what_reading_it_tells(
    tracking: MlflowTracking, experiment: str
) -> None:
    """Times, status, tags and all; also metrics that are no finite numbers."""
    run_id = await tracking.create_run(experiment, name="odd", tags={"who": "ann"})
    odd = {"up": math.inf, "down": -math.inf, "loss": 0.5}
    await tracking.log_run(run_id, metrics=odd, parameters={"depth": "3", "empty": ""}, tags={})
    await tracking.log_metrics(run_id, 3, {"none": math.nan})
    running = await tracking.search_runs([experiment], run_ids=[run_id])
    await tracking.finish_run(run_id, "KILLED")
    ended = await tracking.search_runs([experiment], run_ids=[run_id])
    (listed,), read = ended, await tracking.run(run_id)

    assert read is not None
    assert running[0].ended_at is None
    assert math.isnan(listed.metrics["none"])
    assert math.isnan(read.metrics["none"])
    assert replace(listed, metrics={}) == replace(read, metrics={})
    assert {**listed.metrics, "none": 0} == {**read.metrics, "none": 0}


async def test_a_search_goes_on_from_page_to_page(
    tracking: MlflowTracking, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run once, newest first, however many the pages."""
    runs = [await tracking.create_run(experiment, name=f"r{i}", tags={}) for i in range(5)]
    searched = await tracking.search_runs([experiment])
    monkeypatch.setattr(runs_module, "_PAGE", 2)
    paged = await tracking.search_runs([experiment])

    assert {run.run_id for run in searched} == set(runs)
    assert paged == searched


@pytest.mark.parametrize("bad", ["x' OR '1'='1", "", "a\n", "%", "a" * 300, "é" * 32, "m-1'"])
async def test_a_filter_cannot_be_smuggled_in_as_an_id(
    tracking: MlflowTracking, experiment: str, bad: str
) -> None:
    """A text that is no id is not found; it never reaches a filter."""
    await tracking.create_run(experiment, name="own", tags={})

    assert await tracking.search_runs([experiment], run_ids=[bad]) == []
    assert await tracking.search_runs([bad]) == []
    assert await tracking.run(bad) is None


async def test_more_ids_than_one_search_takes(tracking: MlflowTracking, experiment: str) -> None:
    """1200 ids are searched in chunks; without ids every run is found."""
    runs = [await tracking.create_run(experiment, name=f"r{i}", tags={}) for i in range(3)]
    ids = [f"{i:032x}" for i in range(1200)]
    listed = await tracking.search_runs([experiment], run_ids=[runs[0], *ids, *runs[1:]])
    everything = await tracking.search_runs([experiment])

    assert set(runs) == {run.run_id for run in listed}
    assert set(runs) <= {run.run_id for run in everything}


async def test_what_is_not_there_is_not_found(tracking: MlflowTracking) -> None:
    """Reading gives None; writing raises, naming the run or experiment."""
    assert await tracking.run(MISSING) is None
    with pytest.raises(RunNotFound, match=MISSING):
        await tracking.log_metrics(MISSING, 0, {"loss": 1.0})
    with pytest.raises(RunNotFound, match=MISSING):
        await tracking.finish_run(MISSING)
    with pytest.raises(RunNotFound, match=MISSING):
        await tracking.metric_history(MISSING)
    with pytest.raises(ExperimentNotFound, match="999999"):
        await tracking.create_run("999999", name="x", tags={})


async def test_a_run_ends_in_a_known_state(tracking: MlflowTracking, experiment: str) -> None:
    """FAILED and KILLED are sent; other words are refused before anything is sent."""
    run_id = await tracking.create_run(experiment, name="x", tags={})
    await tracking.finish_run(run_id, "FAILED")
    run = await tracking.run(run_id)

    assert run is not None
    assert run.status == "FAILED"
    with pytest.raises(InvalidInput, match="FINISHED, FAILED or KILLED"):
        await tracking.finish_run(run_id, "DONE")
