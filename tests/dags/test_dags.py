from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from model_lifecycle.dags.flights.scenario import ACTS, Run

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG


NAMES = [
    "digits_retrain",
    "flight_delay_retrain",
    "flight_delay_rollback",
    "flight_delay_serving",
    "registry_reconcile",
]
#: Files for folders of lifecycles; the folder that is shipped is empty.
OTHERS = ["model_lifecycles", "model_lifecycles_check"]


def _filled_in(dag: DAG, conf: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a run that a person started with ``conf``."""
    params = deepcopy(dag.params)
    params.update(conf)
    return params.validate()


def test_the_folder_holds_the_dags_and_nothing_that_does_not_load(dag_bag: DagBag) -> None:
    """Airflow finds the DAGs, without an import error and without a warning."""
    loaded = (sorted(dag_bag.dags), dag_bag.import_errors, dag_bag.captured_warnings)

    assert loaded == (NAMES, {}, {})


def test_airflow_does_not_parse_the_modules_of_the_example(dag_bag: DagBag) -> None:
    """Only the DAG files themselves cost the DAG processor time."""
    files = sorted(stat.file.strip("/") for stat in dag_bag.dagbag_stats)

    assert files == sorted(f"{name}.py" for name in [*NAMES, *OTHERS])


@pytest.mark.parametrize("name", NAMES)
def test_a_dag_survives_serialisation(dag_bag: DagBag, name: str) -> None:
    """Scheduler and web server see the serialised DAG: it has the same tasks and parameters."""
    from airflow.serialization.serialized_objects import DagSerialization

    dag = dag_bag.dags[name]
    copy = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))

    assert (set(copy.task_dict), list(copy.params)) == (set(dag.task_dict), list(dag.params))


def test_retraining_waits_for_a_person_and_its_defaults_are_valid(dag_bag: DagBag) -> None:
    """A trigger of the example starts one run, the requested one."""
    dag = dag_bag.dags["flight_delay_retrain"]
    dag.params.validate()
    settings: tuple[object, ...] = (dag.schedule, dag.catchup, dag.max_active_runs)

    assert settings == (None, False, 1)


def test_retraining_runs_its_steps_in_order(dag_bag: DagBag) -> None:
    """Nothing is promoted before the gate that has to let it through."""
    (task,) = dag_bag.dags["flight_delay_retrain"].roots
    order = [task.task_id]
    while task.downstream_list:
        (task,) = task.downstream_list
        order.append(task.task_id)

    assert order == [
        *("train", "register", "set_policy", "validation_data", "validate"),
        *("promote_to_staging", "shadow_test", "promote_to_production"),
    ]


def test_rolling_back_waits_for_a_person(dag_bag: DagBag) -> None:
    """The rollback DAG has no schedule, and its form offers the model."""
    dag = dag_bag.dags["flight_delay_rollback"]
    form: tuple[object, ...] = (dag.schedule, dag.params["model"])

    assert form == (None, "flight-delay")


@pytest.mark.parametrize("reason", [None, "", "too short"])
def test_rolling_back_asks_for_a_reason(dag_bag: DagBag, reason: str | None) -> None:
    """A rollback without a reason of some length does not start."""
    from airflow.sdk.exceptions import ParamValidationError

    dag = dag_bag.dags["flight_delay_rollback"]

    with pytest.raises(ParamValidationError):
        _filled_in(dag, {"reason": reason})


@pytest.mark.parametrize("run", [run for act in ACTS for run in act.runs], ids=lambda r: r.dag_id)
def test_the_story_fits_the_forms(dag_bag: DagBag, run: Run) -> None:
    """The demo fills in parameters of the DAG, with valid values."""
    dag = dag_bag.dags[run.dag_id]
    given = _filled_in(dag, run.conf)

    assert (set(run.conf) - set(dag.params), {name: given[name] for name in run.conf}) == (
        set(),
        run.conf,
    )


@pytest.mark.parametrize("run", [run for act in ACTS for run in act.runs], ids=lambda r: r.dag_id)
def test_every_parameter_reaches_a_task(dag_bag: DagBag, run: Run) -> None:
    """A form's field that no task reads would be a lie."""
    dag = dag_bag.dags[run.dag_id]
    templates = [str(getattr(task, field)) for task in dag.tasks for field in task.template_fields]
    unread = [name for name in dag.params if not any(f"params.{name}" in t for t in templates)]

    assert unread == []


def test_examples_have_no_schedule(dag_bag: DagBag) -> None:
    """Unpausing one starts nothing but the run that a person asked for."""
    examples = [name for name in NAMES if name != "registry_reconcile"]

    assert {name: dag_bag.dags[name].schedule for name in examples} == dict.fromkeys(examples)


def test_first_run_on_the_stack_has_traffic(
    dag_bag: DagBag, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the flights are in S3, the run itself plays the serving system that nobody played."""
    import importlib

    from model_lifecycle.dags import flight_delay_retrain

    monkeypatch.setenv("FLIGHTS_DATA", "s3://lifecycle/flights")
    dag = importlib.reload(flight_delay_retrain).dag

    assert dag.get_task("shadow_test").upstream_task_ids == {"record_traffic"}
