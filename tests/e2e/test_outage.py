"""Each part of the stack away: what goes on, what is refused, and that all comes back by itself.

The table in docs/operations/production.md tells the same to people.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from e2e.airflow_rest import AirflowRest
from support.present import present
from support.task_fixtures import CallRegistry

from model_lifecycle.registry.domain.errors import BackendUnavailable
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.stack.airflow import API_SERVER, DAG_PROCESSOR, SCHEDULER, TRIGGERER
from model_lifecycle.stack.api import API
from model_lifecycle.stack.instance import TENANT
from model_lifecycle.stack.mlflow import MLFLOW
from model_lifecycle.stack.postgres import POSTGRES
from model_lifecycle.stack.seaweed import SEAWEED
from model_lifecycle.stack.service import StackService
from model_lifecycle.stack.services import PARTS
from model_lifecycle.stack.stack import Stack

_MODEL = "/api/v1/models/pulse"


@contextmanager
def down(stack: Stack, *parts: StackService) -> Iterator[None]:
    """The parts are stopped until the block ends; then everything has to become healthy again."""
    for part in parts:
        stack.supervision.stop_part(part)
    try:
        yield
    finally:
        for part in parts:
            stack.supervision.start_part(part)
        for each in PARTS:
            stack.wait_for(each)


def ready(stack: Stack) -> dict[str, bool]:
    """The API's state of each store, read again: it remembers its answers for a second."""
    time.sleep(1.1)
    answer = httpx.get(f"{stack.instance.url('api')}/readyz", timeout=60).json()
    return {name: item["ready"] for name, item in answer["parts"].items()}


def read(stack: Stack) -> int:
    """Status of a read over our API."""
    key = {"Authorization": f"Bearer {stack.instance.secrets.api_key}"}
    return httpx.get(f"{stack.instance.url('api')}{_MODEL}", headers=key, timeout=60).status_code


async def production(registry: ModelRegistry) -> tuple[Any, int]:
    """The production version, and the length of the history."""
    model = await registry.get_model(TENANT, "pulse")
    return present(model).production_version, len(await registry.history(TENANT, "pulse"))


async def retire(registry: ModelRegistry) -> Any:
    return await registry.transition_stage(
        TENANT, "pulse", 1, "archived", actor="e2e", reason="to see whether it is refused"
    )


def test_postgres_away(run: str, stack: Stack, ask: CallRegistry) -> None:
    """Without its ledger the registry answers nothing, says so, and is back with it."""
    with down(stack, POSTGRES):
        with pytest.raises(BackendUnavailable):
            ask(production)
        assert (read(stack), ready(stack)["ledger"]) == (503, False)

    assert read(stack) == 200


def test_mlflow_away(run: str, stack: Stack, ask: CallRegistry) -> None:
    """Reads go on; a change of stage is refused, and nothing has changed."""
    before = ask(production)
    with down(stack, MLFLOW):
        assert ask(production) == before
        with pytest.raises(BackendUnavailable):
            ask(retire)
        assert (read(stack), ready(stack)["mlflow"]) == (200, False)

    assert ask(production) == before


def test_s3_away(run: str, stack: Stack, ask: CallRegistry) -> None:
    """Reads of the ledger go on; what needs files is refused."""
    with down(stack, SEAWEED):
        assert ask(production)[0] == 1
        with pytest.raises(BackendUnavailable):
            ask(lambda registry: registry.load_model(TENANT, "pulse", 1))
        assert (read(stack), ready(stack)["artifacts"]) == (200, False)

    assert ask(lambda registry: registry.load_model(TENANT, "pulse", 1)) is not None


def test_our_api_away(run: str, stack: Stack, admin: AirflowRest) -> None:
    """Airflow's server answers for the registry, and so does Python; both need no API."""
    with down(stack, API):
        assert admin.get(f"/model-lifecycle{_MODEL}")["stage"] == "production"


def test_airflows_server_away(run: str, stack: Stack, ask: CallRegistry) -> None:
    """The registry does not need Airflow."""
    with down(stack, API_SERVER):
        assert read(stack) == 200
        assert ask(production)[0] == 1


def test_scheduler_dag_processor_and_triggerer_away(
    run: str, stack: Stack, admin: AirflowRest
) -> None:
    """Runs are taken and wait; DAGs that were read stay known; sensors wait on; nothing fails."""
    first = admin.trigger("frail_waiting")
    admin.wait_for_task("frail_waiting", first, "wait", "deferred", "success")
    with down(stack, SCHEDULER, DAG_PROCESSOR, TRIGGERER):
        second = admin.trigger("frail_waiting")
        states = {item["dag_run_id"]: item["state"] for item in admin.runs("frail_waiting")}
        waiting = admin.states("frail_waiting", first)["wait"]

    assert states[second] == "queued"
    assert waiting in ("deferred", "success")
    admin.wait_for_task("frail_waiting", second, "wait", "deferred", "success")
