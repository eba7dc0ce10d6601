"""Failures of the real stack: killed workers, restarted parts, two runs at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from e2e.airflow_rest import AirflowRest
from support.present import present
from support.task_fixtures import CallRegistry

from model_lifecycle.registry.domain.identifiers import ModelId, TenantId, registered_name
from model_lifecycle.registry.domain.stages import Gate, Stage
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.stack.airflow import SCHEDULER
from model_lifecycle.stack.instance import TENANT
from model_lifecycle.stack.mlflow import MLFLOW
from model_lifecycle.stack.postgres import POSTGRES
from model_lifecycle.stack.seaweed import SEAWEED
from model_lifecycle.stack.services import PARTS
from model_lifecycle.stack.stack import Stack

KILLED = ("register", "shadow_test", "promote_to_production")


@pytest.fixture(scope="module")
def waiting(stack: Stack, admin: AirflowRest) -> str:
    """A run whose sensor waits in the triggerer for production of ``frail``, while the scheduler,
    MLflow, PostgreSQL and the S3 server are restarted, one after the other."""
    run_id = admin.trigger("frail_waiting")
    admin.wait_for_task("frail_waiting", run_id, "wait", "deferred")
    for part in (SCHEDULER, MLFLOW, POSTGRES, SEAWEED):
        stack.restart(part)
    for part in PARTS:
        stack.wait_for(part)
    return run_id


@pytest.fixture(scope="module")
def killed(waiting: str, admin: AirflowRest) -> str:
    """A run in which the worker dies in the middle of three tasks, each at its first try."""
    run_id = admin.trigger("frail_retrain", seed=5)

    assert admin.finish("frail_retrain", run_id) == "success"
    return run_id


def test_killed_tasks_are_tried_again(killed: str, admin: AirflowRest) -> None:
    """Airflow notices each dead worker, and the second try of each task succeeds."""
    tasks = admin.tasks("frail_retrain", killed)
    again = {name for name, item in tasks.items() if item["try_number"] > 1}

    assert {item["state"] for item in tasks.values()} == {"success"}
    assert set(KILLED) <= again


def test_a_killed_run_leaves_one_version_and_one_entry_each(killed: str, ask: CallRegistry) -> None:
    """Registered once, moved twice, in the ledger and in MLflow; the chain is whole."""

    async def outcome(registry: ModelRegistry) -> tuple[list[Any], int, list[int]]:
        name = registered_name(TenantId(TENANT), ModelId("frail"))
        versions = await registry._stores.tracking.model_versions(name)
        return (
            await registry.history(TENANT, "frail"),
            await registry.verify_ledger(TENANT, "frail"),
            [item.version for item in versions],
        )

    entries, count, in_mlflow = ask(outcome)

    assert [entry.kind for entry in entries] == ["registered", "policy_set", "moved", "moved"]
    assert (count, in_mlflow) == (4, [1])
    assert len({entry.operation_id for entry in entries}) == 4


def test_a_killed_run_gives_the_result_of_one_that_was_not(
    killed: str, admin: AirflowRest, ask: CallRegistry
) -> None:
    """Version, verdict and promotion are what the tasks return, and MLflow's alias follows."""
    registered = admin.xcom("frail_retrain", killed, "register")
    shadow = admin.xcom("frail_retrain", killed, "shadow_test")
    promoted = admin.xcom("frail_retrain", killed, "promote_to_production")
    evidence = ask(lambda registry: registry.list_evidence(TENANT, "frail", 1))
    findings = ask(lambda registry: registry.reconcile(TENANT))

    assert (registered["version"], shadow["verdict"]) == (1, "PASS")
    assert (promoted["version"], promoted["previous_production"]) == (1, None)
    assert [item.gate for item in evidence].count(Gate.SHADOW) == 1
    assert findings == []


def test_a_sensor_outlives_restarts_of_everything_it_stands_on(
    waiting: str, killed: str, admin: AirflowRest
) -> None:
    """It sees the promotion that came after the restarts."""
    assert admin.finish("frail_waiting", waiting) == "success"
    assert admin.xcom("frail_waiting", waiting, "wait") == {"version": 1, "stage": "production"}


@pytest.fixture(scope="module")
def two(run: str, admin: AirflowRest, operator: AirflowRest) -> list[str]:
    """Two runs for one model at once, judged against the same production, approved together."""
    runs = [admin.trigger("pulse_retrain", seed=seed) for seed in (11, 12)]
    for run_id in runs:
        admin.wait_for_question("pulse_retrain", run_id, "approve")
    with ThreadPoolExecutor(2) as threads:
        answers = threads.map(
            lambda run_id: operator.answer("pulse_retrain", run_id, "approve", "Approve"), runs
        )
        assert [answer.status_code for answer in answers] == [200, 200]
    for run_id in runs:
        assert admin.finish("pulse_retrain", run_id) == "success"
    return runs


def test_of_two_runs_at_once_one_promotes(
    two: list[str], admin: AirflowRest, ask: CallRegistry
) -> None:
    """The other is refused as stale: its evidence is against what is no longer in production."""
    states = {run_id: admin.states("pulse_retrain", run_id) for run_id in two}
    outcomes = sorted(state["promote_to_production"] for state in states.values())
    (held,) = [run for run in two if states[run]["promote_to_production"] == "skipped"]
    refusal = admin.xcom("pulse_retrain", held, "promote_to_production", "refusal")
    model = ask(lambda registry: registry.get_model(TENANT, "pulse"))
    versions = ask(lambda registry: registry.list_versions(TENANT, "pulse"))

    assert outcomes == ["skipped", "success"]
    assert "production" in refusal["message"]
    assert [item.stage for item in versions].count(Stage.PRODUCTION) == 1
    assert present(model).production_version in {item.version for item in versions[-2:]}


def test_rollback_over_rest(two: list[str], admin: AirflowRest, ask: CallRegistry) -> None:
    """A form filled in over the API brings back the version that was in production before; one
    without a proper reason is refused before anything runs."""
    before = present(ask(lambda registry: registry.get_model(TENANT, "pulse"))).production_version
    refused = admin.send(
        "POST",
        "/api/v2/dags/pulse_rollback/dagRuns",
        {"logical_date": None, "conf": {"model": "pulse", "reason": "short"}},
    )
    run_id = admin.trigger("pulse_rollback", model="pulse", reason="nurses see too many alarms")

    assert refused.status_code == 400
    assert admin.finish("pulse_rollback", run_id) == "success"
    result = admin.xcom("pulse_rollback", run_id, "rollback")
    after = present(ask(lambda registry: registry.get_model(TENANT, "pulse"))).production_version
    assert (result["previous_production"], result["version"]) == (before, after)
    assert after != before
