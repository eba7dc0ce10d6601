"""The identity of a task: its operation id, its actor's name, its evidence ids.

A retry repeats an operation, and the registry gives it the same answer. A cleared task is a new
operation, and does its work again. So these ids are the same for all tries between two clears, on
any worker and across deferrals, and differ after a clear. No datum of Airflow's is exactly that:

- ``try_number`` and ``ti.id`` change with every retry;
- ``dag_run.clear_number`` changes when any task of the run is cleared;
- ``ti.max_tries`` is set to the tries already made plus ``retries`` when a task is cleared, and a
  retry leaves it alone;
- ``dag_run.start_date`` is set when the run starts, and again when a finished run is cleared. It
  tells a run that was deleted and created again under its old id from the first one.

The last two together are what we use.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC
from typing import TYPE_CHECKING

from model_lifecycle.registry.domain import identifiers
from model_lifecycle.registry.domain.errors import InvalidName

if TYPE_CHECKING:
    from airflow.sdk import Context

#: The triggering user that ``dag.test()`` names, regardless of the person who runs it.
_NOBODY = "dag_test"
_EVIDENCE = uuid.uuid5(uuid.NAMESPACE_URL, "x-model-lifecycle://evidence")


def operation_id(context: Context, *within: str) -> str:
    """``dag_id/run_id/task_id/map_index``, then what tells runs and clears apart: the start of the
    run, and ``cleared-{max_tries}`` for a task that was cleared. ``within`` are further parts, for
    a task with several operations.

    Names that do not fit an operation id (Airflow allows other alphabets, and longer ones) are
    replaced by their SHA-256.
    """
    ti = context["ti"]
    map_index = -1 if ti.map_index is None else ti.map_index
    parts = [ti.dag_id, ti.run_id, ti.task_id, str(map_index)]
    started = getattr(context.get("dag_run"), "start_date", None)
    if started is not None:
        parts.append(f"{started.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}")
    if ti.max_tries != (ti.task.retries or 0):
        parts.append(f"cleared-{ti.max_tries}")
    text = "/".join([*parts, *within])
    try:
        return identifiers.operation_id(text)
    except InvalidName:
        return f"airflow-task-sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def evidence_id(context: Context, *request: object) -> str:
    """Id of the evidence that this task records: the same for every retry of the same ``request``,
    which is the version and everything else that the evidence depends on. A cleared task gets a new
    one, since clearing it asks for a new judgement."""
    return str(uuid.uuid5(_EVIDENCE, "/".join([operation_id(context), *map(str, request)])))


def state_key(context: Context, name: str) -> str:
    """Key in the task's state store for ``name``, of this operation alone: Airflow keeps the store
    when a task is cleared."""
    return f"{name}-{evidence_id(context, name)}"


def principal_name(context: Context) -> str:
    """``airflow:{dag_id}/{run_id}``: what the ledger shows as the actor."""
    ti = context["ti"]
    return f"airflow:{ti.dag_id}/{ti.run_id}"


def person(context: Context) -> str | None:
    """The user who triggered the run, if Airflow knows; None for a scheduled run."""
    name = getattr(context.get("dag_run"), "triggering_user_name", None)
    return name if name and name != _NOBODY else None
