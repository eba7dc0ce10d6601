from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.task_fixtures import ModelNames

from model_lifecycle.registry.domain import errors
from model_lifecycle.registry.domain.errors import RegistryError

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


_ERRORS = [
    item
    for item in vars(errors).values()
    if isinstance(item, type) and issubclass(item, RegistryError)
]


@pytest.mark.parametrize("error", _ERRORS)
def test_what_may_succeed_later_is_tried_again_and_nothing_else(error: type[RegistryError]) -> None:
    """The retry policy says of each error of the registry what the error itself says."""
    from airflow.sdk import RetryAction

    from model_lifecycle.operators.runtime.retry_policy import RETRY_POLICY

    decision = RETRY_POLICY.evaluate(error.__new__(error), try_number=1, max_tries=3)

    assert decision.action == (RetryAction.RETRY if error.retryable else RetryAction.FAIL)


def test_other_errors_are_left_to_airflow() -> None:
    """An unknown error is retried as often as the task says."""
    from airflow.sdk import RetryAction

    from model_lifecycle.operators.runtime.retry_policy import RETRY_POLICY

    assert RETRY_POLICY.evaluate(KeyError("x"), 1, 3).action is RetryAction.DEFAULT
    assert RETRY_POLICY.evaluate(ConnectionResetError(), 1, 3).action is RetryAction.RETRY


def test_every_task_has_the_policy_unless_it_has_another(model: ModelNames) -> None:
    """A policy of the task, or of its DAG's default arguments, comes first."""
    from airflow.sdk import DAG, ExceptionRetryPolicy

    from model_lifecycle.operators import ModelStageSensor, PrepareDataOperator, SetPolicyOperator
    from model_lifecycle.operators.runtime.retry_policy import RETRY_POLICY

    mine = ExceptionRetryPolicy(rules=[])

    def tasks(**extra: Any) -> list[BaseOperator]:
        return [
            SetPolicyOperator(task_id="policy", policy={}, **model, **extra),
            ModelStageSensor(task_id="sensor", **model, **extra),
            PrepareDataOperator(task_id="data", prepare=print, **extra),
        ]

    with DAG(dag_id="d", default_args={"retry_policy": mine}):
        of_the_dag = tasks()

    assert {task.retry_policy for task in tasks()} == {RETRY_POLICY}
    assert {task.retry_policy for task in tasks(retry_policy=mine)} == {mine}
    assert {task.retry_policy for task in of_the_dag} == {mine}


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient`")
def test_airflow_tries_again_what_did_not_answer(airflow_database: None) -> None:
    """In a real run: the store that was away is asked again, and finds what the first try kept; a
    refusal fails at the first try."""
    from airflow.configuration import conf
    from airflow.dag_processing.dagbag import DagBag

    folder = conf.get("core", "dags_folder")
    bag = DagBag(dag_folder=folder, bundle_name="dags-folder", bundle_path=Path(folder))
    run = bag.dags["trying_again"].test()
    tasks = {ti.task_id: (ti.state, ti.try_number) for ti in run.get_task_instances()}

    assert tasks == {"away": ("success", 2), "refused": ("failed", 1)}
