"""MLflow that is slow holds those who ask for what only it knows, and nobody else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from support.http import LIMITS, Api, served
from support.registry_fixture import new_name
from support.servers.canned import canned_server

from model_lifecycle.api import create_app

#: Seconds: what a call to MLflow may take, and what MLflow takes.
ALLOWED, TAKEN = 2.0, 30.0


@pytest.fixture(scope="module")
def slow(api: Api) -> Iterator[httpx.Client]:
    """The same ledger, with an MLflow that answers after everybody has given up."""
    with canned_server(delay=TAKEN) as mlflow:
        settings = api.settings.with_values(tracking_uri=mlflow.url, call_timeout=ALLOWED)
        app = create_app(settings, api=LIMITS)
        headers = api.acme.headers()
        with served(app) as url, httpx.Client(base_url=url, timeout=20, headers=headers) as client:
            client.get("/api/v1/experiments")
            yield client


def test_reads_of_the_ledger_do_not_wait_for_mlflow(api: Api, slow: httpx.Client) -> None:
    """While twenty wait for MLflow, models are read; the twenty get an error within its deadline,
    those in line included."""
    name = new_name()
    api.register(name)

    def ask(_: int) -> tuple[int, float]:
        started = time.perf_counter()
        answer = slow.get("/api/v1/experiments")
        return answer.status_code, time.perf_counter() - started

    with ThreadPoolExecutor(20) as threads:
        futures = [threads.submit(ask, number) for number in range(20)]
        read = [slow.get(f"/api/v1/models/{name}") for _ in range(20)]
        waiting = sum(not one.done() for one in futures)
        results = [one.result() for one in futures]

    assert {answer.status_code for answer in read} == {200}
    assert waiting > 0
    assert {status for status, _ in results} == {503}
    assert max(seconds for _, seconds in results) < ALLOWED + 5


def test_probes_tell_that_mlflow_is_slow(slow: httpx.Client) -> None:
    """Alive, and not ready: MLflow alone is named."""
    ready = slow.get("/readyz")
    parts = ready.json()["parts"]

    assert slow.get("/healthz").status_code == 200
    assert ready.status_code == 503
    assert {name for name, part in parts.items() if not part["ready"]} == {"mlflow"}
