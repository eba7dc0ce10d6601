"""Who a task is: its operation id, its actor's name, its evidence ids.

None of them holds the try number. What a retry repeats is the same operation, and the registry
gives it the same answer.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING

from model_lifecycle.registry.rules import tenancy
from model_lifecycle.registry.rules.errors import InvalidName

if TYPE_CHECKING:
    from airflow.sdk import Context

#: What ``dag.test()`` names as the triggering user, whoever runs it.
_NOBODY = "dag_test"
_EVIDENCE = uuid.uuid5(uuid.NAMESPACE_URL, "x-model-lifecycle://evidence")


def operation_id(context: Context) -> str:
    """``dag_id/run_id/task_id/map_index``: the same for every try of a task.

    Names that do not fit an operation id (Airflow allows other alphabets, and longer ones) are
    replaced by their SHA-256.
    """
    ti = context["ti"]
    map_index = -1 if ti.map_index is None else ti.map_index
    text = f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{map_index}"
    try:
        return tenancy.operation_id(text)
    except InvalidName:
        return f"airflow-task-sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def evidence_id(context: Context, *subject: object) -> str:
    """Id of the evidence that this task records about ``subject``: the same for every retry.

    A person who clears the task asks for a new judgement and gets a new id. Airflow raises
    ``max_tries`` by the tries already made when a task is cleared, and leaves it alone on a retry.
    """
    ti = context["ti"]
    cleared = ti.max_tries - (ti.task.retries or 0)
    name = "/".join([operation_id(context), str(cleared), *map(str, subject)])
    return str(uuid.uuid5(_EVIDENCE, name))


def principal_name(context: Context) -> str:
    """``airflow:{dag_id}/{run_id}``: what the ledger shows as the actor."""
    ti = context["ti"]
    return f"airflow:{ti.dag_id}/{ti.run_id}"


def person(context: Context) -> str | None:
    """Who triggered the run, where Airflow knows; None for a scheduled run."""
    name = getattr(context.get("dag_run"), "triggering_user_name", None)
    return name if name and name != _NOBODY else None
