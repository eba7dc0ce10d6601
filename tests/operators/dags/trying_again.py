"""An Airflow DAG whose tasks fail in two ways: an unavailable store, and a refusal."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, get_current_context

from model_lifecycle.operators import PrepareDataOperator
from model_lifecycle.registry.domain.errors import BackendUnavailable, InvalidInput


def answer_at_second_try() -> int:
    """The state of an earlier try is there in the next."""
    store = get_current_context()["task_state_store"]
    before = store.get("tries", 0)
    assert isinstance(before, int)
    tries = before + 1
    store.set("tries", tries)
    if tries == 1:
        raise BackendUnavailable("ledger", "no connection")
    return tries


def refuse() -> None:
    raise InvalidInput("there is no such data", field="data")


with DAG(dag_id="trying_again", schedule=None, default_args={"retries": 2}):
    again = timedelta(seconds=0)
    PrepareDataOperator(task_id="away", prepare=answer_at_second_try, retry_delay=again)
    PrepareDataOperator(task_id="refused", prepare=refuse, retry_delay=again)
