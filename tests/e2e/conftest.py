"""One whole stack for all end-to-end tests: the code of ``make up``, on ports of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from e2e.airflow_rest import AirflowRest
from support.task_fixtures import CallRegistry

from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.settings import Settings
from model_lifecycle.registry.sync import run_sync
from model_lifecycle.stack import registry_settings as stack_registry
from model_lifecycle.stack.instance import Instance
from model_lifecycle.stack.mlflow import s3_environment
from model_lifecycle.stack.stack import Stack

T = TypeVar("T")

DAGS = (
    "pulse_retrain",
    "pulse_rollback",
    "pulse_deploy",
    "frail_retrain",
    "frail_waiting",
    "cleared_train",
)
#: Quick to notice what the tests wait for: new DAGs, dead workers, states.
IMPATIENT = {
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "3",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(1200))
            # The core in this process; MLflow and skops warn of their neighbours.
            item.add_marker(pytest.mark.filterwarnings("ignore", "error:::model_lifecycle"))


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    # A short path: sockets lie in it.
    folder = Path(tempfile.mkdtemp(prefix="e2e-", dir="/tmp"))
    instance = Instance.at(
        folder,
        fixed={},
        dag_folders=(Path(__file__).parent / "dags",),
        airflow_environment=IMPATIENT,
    )
    stack = Stack(instance, print)
    try:
        stack.up()
        yield stack
    finally:
        stack.down()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def admin(stack: Stack) -> Iterator[AirflowRest]:
    """The user who starts runs."""
    rest = AirflowRest(stack.instance, "admin")
    for dag_id in DAGS:
        rest.unpause(dag_id)
    yield rest
    rest.close()


@pytest.fixture(scope="session")
def operator(stack: Stack) -> Iterator[AirflowRest]:
    """The user who approves."""
    rest = AirflowRest(stack.instance, "operator")
    yield rest
    rest.close()


@pytest.fixture(scope="session")
def run(admin: AirflowRest, operator: AirflowRest) -> str:
    """One complete run of ``pulse_retrain``: a first version, which the operator rejects over REST.
    The admin clears the approval, and the operator approves."""
    run_id = admin.trigger("pulse_retrain", seed=1)
    admin.wait_for_question("pulse_retrain", run_id, "approve")
    operator.answer("pulse_retrain", run_id, "approve", "Reject").raise_for_status()
    admin.finish("pulse_retrain", run_id)
    assert admin.states("pulse_retrain", run_id)["promote_to_production"] == "skipped"

    admin.clear("pulse_retrain", run_id, "approve", "promote_to_production")
    admin.wait_for_question("pulse_retrain", run_id, "approve")
    operator.answer("pulse_retrain", run_id, "approve", "Approve").raise_for_status()
    assert admin.finish("pulse_retrain", run_id) == "success"
    return run_id


@pytest.fixture(scope="session")
def ask(stack: Stack) -> CallRegistry:
    """Ask the stack's registry, as a program beside Airflow would."""

    def call(question: Callable[[ModelRegistry], Awaitable[T]]) -> T:
        async def within() -> T:
            settings = Settings(stack_registry.settings(stack.instance))
            async with open_registry(settings) as registry:
                return await question(registry)

        with pytest.MonkeyPatch.context() as patch:
            for name, value in s3_environment(stack.instance).items():
                patch.setenv(name, value)
            return run_sync(within())

    return call
