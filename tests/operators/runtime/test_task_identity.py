from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from support.task_fixtures import MakeContext

from model_lifecycle.operators.runtime.task_identity import (
    evidence_id,
    operation_id,
    principal_name,
)

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


@pytest.fixture
def task() -> BaseOperator:
    from airflow.sdk import BaseOperator

    return BaseOperator(task_id="promote", retries=2)


def test_operation_id_names_the_task_and_not_the_try(
    task: BaseOperator, context: MakeContext
) -> None:
    """Every try of a task has the same operation id."""
    ids = {operation_id(context(task, try_number=number)) for number in (1, 2, 3)}

    assert ids == {"lifecycle/manual__2013-07-01T00:00:00+00:00/promote/-1"}


@pytest.mark.parametrize("other", [{"run_id": "r2"}, {"dag_id": "d2"}, {"map_index": 3}])
def test_other_tasks_have_other_operation_ids(
    task: BaseOperator, context: MakeContext, other: dict[str, Any]
) -> None:
    """Another run, DAG or mapped instance is another operation."""
    assert operation_id(context(task)) != operation_id(context(task, **other))


@pytest.mark.parametrize("dag_id", ["модель", "d" * 260])
def test_operation_id_of_odd_names_is_valid(
    task: BaseOperator, context: MakeContext, dag_id: str
) -> None:
    """Names that an operation id cannot hold are replaced by their digest."""
    from model_lifecycle.registry.domain import identifiers

    made = operation_id(context(task, dag_id=dag_id, run_id="r" * 250))

    assert made.startswith("airflow-task-sha256:")
    assert identifiers.operation_id(made) == made


def test_retry_has_the_same_evidence_id(task: BaseOperator, context: MakeContext) -> None:
    """A retry finds the evidence of the first try."""
    first, second = (evidence_id(context(task, try_number=number), 3) for number in (1, 2))

    assert first == second


def test_cleared_task_has_another_evidence_id(task: BaseOperator, context: MakeContext) -> None:
    """Clearing a gate's task requests a new judgement."""
    assert evidence_id(context(task), 3) != evidence_id(context(task, cleared_after=1), 3)


def test_cleared_task_is_another_operation(task: BaseOperator, context: MakeContext) -> None:
    """Each clear begins a new operation, whose tries share an id again."""
    ids = [
        operation_id(context(task, try_number=number, cleared_after=cleared))
        for number, cleared in ((1, 0), (2, 1), (3, 1), (4, 3))
    ]

    assert (ids[1] == ids[2], len(set(ids))) == (True, 3)


def test_run_created_again_under_its_old_id_is_another_operation(
    task: BaseOperator, context: MakeContext
) -> None:
    """A run that was deleted and triggered again starts at another time."""
    starts = (datetime(2026, 1, 1, 5, tzinfo=UTC), datetime(2026, 1, 2, 5, tzinfo=UTC))
    contexts = [context(task) for _ in starts]
    for made, start in zip(contexts, starts, strict=True):
        made["dag_run"].start_date = start

    assert len({operation_id(made) for made in contexts}) == 2


def test_other_subject_has_another_evidence_id(task: BaseOperator, context: MakeContext) -> None:
    """Evidence about another version is other evidence."""
    assert evidence_id(context(task), 3) != evidence_id(context(task), 4)


def test_principal_is_named_for_dag_and_run(task: BaseOperator, context: MakeContext) -> None:
    """The ledger shows which DAG and run acted."""
    assert principal_name(context(task)) == "airflow:lifecycle/manual__2013-07-01T00:00:00+00:00"
