"""A question to a person as Airflow asks it: the task that waits, and the answer it gets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from support.task_fixtures import TaskContext

if TYPE_CHECKING:
    from model_lifecycle.operators import ApproveModelOperator

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN = {"id": "7", "name": "ann"}


def parked(task: ApproveModelOperator, ctx: TaskContext) -> dict[str, Any]:
    """Airflow's record of a task that parked itself to wait for a person."""
    from airflow.sdk.exceptions import TaskAwaitingInput

    with pytest.raises(TaskAwaitingInput) as parked:
        task.execute(ctx)
    kwargs = parked.value.kwargs
    assert kwargs is not None
    return kwargs


def answer_event(
    choice: str = "Approve", user: dict[str, str] | None = ANN, comment: str = ""
) -> dict[str, Any]:
    """Airflow's event for a task whose question was answered, or not in time (no user)."""
    return {
        "chosen_options": [choice],
        "params_input": {"comment": comment},
        "responded_at": AT,
        "responded_by_user": user,
        "timedout": user is None,
    }
