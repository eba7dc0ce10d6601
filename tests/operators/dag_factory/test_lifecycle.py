from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy

if TYPE_CHECKING:
    from airflow.sdk import DAG


def _train(**_: object) -> None: ...


def _retrain(**extra: Any) -> DAG:
    from model_lifecycle.operators import retrain_and_promote

    arguments = {
        "dag_id": "churn",
        "tenant_id": "acme",
        "model_id": "churn",
        "train": _train,
        "validation_data": "s3://models/held-out.parquet",
        "shadow_window": ("{{ params.start }}", "{{ params.end }}"),
        "params": {"start": "2013-07-01", "end": "2013-08-01"},
    }
    return retrain_and_promote(**{**arguments, **extra})


def _round_trip(dag: DAG) -> Any:
    from airflow.serialization.serialized_objects import DagSerialization

    return DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))


def _order(dag: Any) -> list[str]:
    (task,) = dag.roots
    order = [task.task_id]
    while task.downstream_list:
        (task,) = task.downstream_list
        order.append(task.task_id)
    return order


def test_lifecycle_judges_twice_before_production() -> None:
    """The plain lifecycle has no task for what was not given."""
    assert _order(_retrain()) == [
        "train",
        "register",
        "validate",
        "promote_to_staging",
        "shadow_test",
        "promote_to_production",
    ]


def test_lifecycle_with_everything() -> None:
    """Policy, data and traffic each get the task before the one that needs them."""
    dag = _retrain(policy=PromotionPolicy(), validation_data=_train, record_traffic=_train)

    assert _order(dag) == [
        "train",
        "register",
        "set_policy",
        "validation_data",
        "validate",
        "promote_to_staging",
        "record_traffic",
        "shadow_test",
        "promote_to_production",
    ]


def test_lifecycle_with_approval_asks_before_production() -> None:
    """A person is asked between the last gate and production, with the arguments given."""
    policy = PromotionPolicy(require_approval=True)
    dag = _retrain(policy=policy, approval={"assigned_users": [{"id": "7", "name": "ann"}]})

    assert _order(dag)[-3:] == ["shadow_test", "approve", "promote_to_production"]
    approve: Any = dag.get_task("approve")

    assert approve.assigned_users == [{"id": "7", "name": "ann"}]
    assert set(_round_trip(dag).task_dict) == set(dag.task_dict)


def test_approval_that_the_policy_does_not_require_is_refused() -> None:
    """Asking a person while others may promote without one would be for show."""
    from model_lifecycle.registry.domain.errors import InvalidInput

    with pytest.raises(InvalidInput, match="require_approval=True"):
        _retrain(policy=PromotionPolicy(), approval=True)


def test_lifecycle_survives_serialisation() -> None:
    """The scheduler's copy of the DAG has its tasks, parameters and the asset it produces."""
    dag = _round_trip(_retrain(policy=PromotionPolicy(), validation_data=_train))
    promote = dag.get_task("promote_to_production")

    assert dag.params.dump() == {"start": "2013-07-01", "end": "2013-08-01"}
    assert [asset.uri for asset in promote.outlets] == [
        "x-model-lifecycle://acme/churn/production",
        "x-model-lifecycle://any-model/production",
        "x-model-lifecycle://each-model/production",
    ]
    assert dag.max_active_runs == 1


def test_lifecycle_takes_what_a_dag_takes() -> None:
    """Other arguments reach the DAG; defaults give way to what the user says."""
    dag = _retrain(tags=["mine"], default_args={"retries": 7}, max_active_runs=2)

    assert dag.tags == {"model-lifecycle", "acme", "churn", "mine"}
    assert (dag.get_task("train").retries, dag.max_active_runs) == (7, 2)


def test_rollback_dag_survives_serialisation() -> None:
    """The scheduler's copy has the form; it has no schedule."""
    from model_lifecycle.operators import rollback_dag

    dag = _round_trip(rollback_dag(dag_id="rollback", tenant_id="acme", models=["churn", "fraud"]))

    assert list(dag.params) == ["model", "to_version", "reason"]
    assert dag.timetable.summary in (None, "None", "Never, external triggers only")


@pytest.mark.parametrize(
    ("conf", "valid"),
    [
        ({"model": "churn", "to_version": None, "reason": "calls rose by 40 %"}, True),
        ({"model": "churn", "to_version": 2, "reason": "calls rose by 40 %"}, True),
        ({"model": "churn", "to_version": 0, "reason": "calls rose by 40 %"}, False),
        ({"model": "churn", "to_version": "2", "reason": "calls rose by 40 %"}, False),
        ({"model": "churn", "reason": "bad"}, False),
        ({"model": "other", "reason": "calls rose by 40 %"}, False),
        ({"model": "churn"}, False),
        ({}, False),
    ],
)
def test_form_of_the_rollback(
    conf: dict[str, str | None] | dict[str, str | int] | dict[str, str] | dict[str, object],
    valid: bool,
) -> None:
    """The form refuses unknown models, impossible versions and empty reasons."""
    from airflow.sdk.definitions.param import process_params
    from airflow.sdk.exceptions import ParamValidationError

    from model_lifecycle.operators import rollback_dag

    dag = rollback_dag(dag_id="r", tenant_id="acme", models=["churn", "fraud"])
    expected = nullcontext() if valid else pytest.raises(ParamValidationError)

    with expected:
        process_params(dag, dag.get_task("rollback"), conf, suppress_exception=False)


def test_rollback_form_says_what_its_fields_need() -> None:
    """A field that holds the button back says how to fill it."""
    from model_lifecycle.operators import rollback_dag

    dag = rollback_dag(dag_id="back", tenant_id="acme", models=["churn"])
    reason = dag.params.get_param("reason")

    assert (reason.schema["minLength"], "10 to 1000" in reason.schema["title"]) == (10, True)
    assert "optional" in dag.params.get_param("to_version").schema["title"]
