"""Airflow DAGs of the end-to-end tests: one lifecycle for each of two models, and who waits."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import DAG, task

# What the tests share lies beside this folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from e2e.dags.killing import killed_once
from support import patients
from support.task_fixtures import ModelNames

from model_lifecycle.operators import (
    ModelRegistryHook,
    ModelStageSensor,
    RegisterModelOperator,
    TrainModelOperator,
    production_asset,
    retrain_and_promote,
    rollback_dag,
)

if TYPE_CHECKING:
    from model_lifecycle.registry.model_registry import ModelRegistry

T = TypeVar("T")
TENANT = "demo"
WINDOW = {"start": "2013-07-01", "end": "2013-07-15"}


def with_registry(act: Callable[[ModelRegistry], Awaitable[T]]) -> T:
    from model_lifecycle.registry.factory import open_registry
    from model_lifecycle.registry.sync import run_sync

    settings = ModelRegistryHook().settings()

    async def within() -> T:
        async with open_registry(settings) as registry:
            return await act(registry)

    return run_sync(within())


def hold_out(model: str, seed: str) -> str:
    return with_registry(lambda registry: patients.hold_out(registry, TENANT, model, int(seed)))


def serve(model: str, start: str) -> int:
    return with_registry(lambda registry: patients.serve(registry, TENANT, model, start))


def lifecycle(model: str, **settings: Any) -> DAG:
    return retrain_and_promote(
        dag_id=f"{model}_retrain",
        tenant_id=TENANT,
        model_id=model,
        train=patients.train,
        train_kwargs={"eyes": "open", "seed": "{{ params.seed }}"},
        validation_data=hold_out,
        validation_kwargs={"model": model, "seed": "{{ params.seed + 1 }}"},
        record_traffic=serve,
        traffic_kwargs={"model": model, "start": WINDOW["start"]},
        shadow_window=(WINDOW["start"], WINDOW["end"]),
        params={"seed": 1},
        default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
        **settings,
    )


pulse = lifecycle(
    "pulse",
    policy=patients.heart_policy(require_approval=True),
    approval=True,
    # Two at once, to see what the ledger does where Airflow would queue the second.
    max_active_runs=2,
)
frail = lifecycle("frail", policy=patients.heart_policy())
for task_id, fatal in (
    ("register", "after artifacts.copy_folder"),
    ("shadow_test", "after artifacts.put_bytes"),
    ("promote_to_production", "after ledger COMMIT"),
):
    victim: Any = frail.get_task(task_id)
    victim.__class__ = killed_once(type(victim), fatal)
rollback = rollback_dag(
    dag_id="pulse_rollback", tenant_id=TENANT, models=["pulse"], default_args={"retries": 0}
)

with DAG(dag_id="pulse_deploy", schedule=[production_asset(TENANT, "pulse")]) as deploy:

    @task
    def event_payloads(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
        return [dict(event.extra) for each in triggering_asset_events.values() for event in each]

    event_payloads()

with DAG(dag_id="frail_waiting", schedule=None) as waiting:
    ModelStageSensor(
        task_id="wait",
        tenant_id=TENANT,
        model_id="frail",
        stage="production",
        poke_interval=2,
        timeout=600,
        deferrable=True,
        retries=2,
        retry_delay=timedelta(seconds=1),
    )


def train_anew() -> Any:
    """A training whose code was corrected each time it runs."""
    import time

    trained = patients.train("open", "1")
    return dataclasses.replace(trained, parameters={"corrected_at": time.time_ns()})


with DAG(dag_id="cleared_train", schedule=None, default_args={"retries": 1}) as cleared:
    MODEL: ModelNames = {"tenant_id": TENANT, "model_id": "cleared"}
    TrainModelOperator(task_id="train", train=train_anew, **MODEL) >> RegisterModelOperator(
        task_id="register", source="{{ ti.xcom_pull(task_ids='train')['model_uri'] }}", **MODEL
    )
