from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.task_fixtures import CallRegistry, MakeContext, Register

if TYPE_CHECKING:
    from mlflow import MlflowClient


@pytest.fixture
def by_hand(ask: CallRegistry, registry_home: Path) -> MlflowClient:
    """MLflow, as somebody uses it who goes round the registry."""
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{registry_home}/mlflow.db")


@pytest.fixture
def reconcile(context: MakeContext, tenant: str) -> Callable[[], dict[str, Any]]:
    from model_lifecycle.operators import ReconcileOperator

    def call() -> dict[str, Any]:
        task = ReconcileOperator(task_id="reconcile", tenant_id=tenant)
        return task.execute(context(task))

    return call


def test_what_was_moved_by_hand_is_put_back_and_told(
    register: Register, reconcile: Callable[[], dict[str, Any]], by_hand: MlflowClient, tenant: str
) -> None:
    """The second run finds nothing more."""
    register()
    by_hand.set_registered_model_alias(f"{tenant}.heart", "production", "1")
    first, second = reconcile(), reconcile()

    assert (first["healed"], first["damaged"]) == (1, 0)
    assert [item["code"] for item in first["findings"]] == ["alias_moved"]
    assert second == {"healed": 0, "damaged": 0, "findings": [], "omitted": 0}


def test_what_needs_a_person_fails_the_task(
    register: Register, context: MakeContext, by_hand: MlflowClient, tenant: str
) -> None:
    """A version that vanished from MLflow cannot be healed: the task says so, and keeps it."""
    from airflow.sdk.exceptions import AirflowFailException

    from model_lifecycle.operators import ReconcileOperator

    register()
    by_hand.delete_model_version(f"{tenant}.heart", "1")
    task = ReconcileOperator(task_id="reconcile", tenant_id=tenant)
    ctx = context(task)

    with pytest.raises(AirflowFailException, match="a person has to look at 1 findings"):
        task.execute(ctx)

    assert ctx["ti"].pushed["left"]["damaged"] == 1


def test_roles_of_the_connection_bind_the_task(
    registry_home: Path,
    reconcile: Callable[[], dict[str, Any]],
    ask: CallRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the connection does not let Airflow reconcile, Airflow does not."""
    from airflow.sdk.exceptions import AirflowFailException

    extra = {"home": str(registry_home), "roles": "viewer"}
    connection = json.dumps({"conn_type": "model_registry", "extra": extra})
    monkeypatch.setenv("AIRFLOW_CONN_MODEL_REGISTRY_DEFAULT", connection)

    with pytest.raises(AirflowFailException, match=r"^permission_denied"):
        reconcile()


def test_the_dag_runs_every_hour_one_at_a_time() -> None:
    """It does not catch up, and takes what a DAG takes."""
    from model_lifecycle.operators import reconcile_dag

    dag = reconcile_dag(dag_id="r", tags=["mine"])
    reconcile: Any = dag.get_task("reconcile")

    assert str(dag.schedule) == "@hourly"
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
    assert dag.tags == {"model-lifecycle", "reconcile", "mine"}
    assert reconcile.tenant_id is None
