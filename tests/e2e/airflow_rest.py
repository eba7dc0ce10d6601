"""Airflow as a person or a program outside sees it: its REST API, with a token."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx

from model_lifecycle.stack.instance import Instance

_DONE = ("success", "failed")
#: Seconds; a busy machine takes minutes for what a quiet one does in one.
_PATIENCE = 600.0
#: Airflow takes an answer that comes before the scheduler has seen the worker's end for a lost
#: worker, and asks again: no person is that quick.
_SETTLED = 4.0


class AirflowRest:
    """Calls as one user. While a server is being restarted, reads are repeated."""

    def __init__(self, instance: Instance, user: str) -> None:
        self._client = httpx.Client(base_url=instance.url("airflow"), timeout=60)
        answer = self._client.post(
            "/auth/token",
            json={"username": user, "password": instance.secrets.airflow_users[user]},
        )
        answer.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """The response to ``GET path``, as JSON; repeated while the server does not answer."""
        for _ in _polls():
            try:
                answer = self._client.get(path, params=parameters)
            except httpx.TransportError:
                continue
            if answer.status_code < 500:
                answer.raise_for_status()
                return answer.json()
        raise AssertionError(f"{path} did not answer")

    def open(self, address: str, headers: dict[str, str]) -> httpx.Response:
        """The page that a browser with this login sees at an address."""
        return self._client.get(address, headers=headers, follow_redirects=True)

    def send(self, method: str, path: str, body: Any) -> httpx.Response:
        return self._client.request(method, path, json=body)

    def unpause(self, dag_id: str) -> None:
        """Let the DAG run, once Airflow has read it."""
        for _ in _polls():
            if self.send("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False}).is_success:
                return
        raise AssertionError(f"Airflow has no DAG {dag_id}: {self.get('/api/v2/importErrors')}")

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Start a run; its id."""
        answer = self.send(
            "POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf}
        )
        answer.raise_for_status()
        return str(answer.json()["dag_run_id"])

    def clear(self, dag_id: str, run_id: str, *task_ids: str) -> None:
        """Clear tasks of a run, as the button of Airflow's pages does."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": list(task_ids),
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self.send("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", body).raise_for_status()

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = self.get(f"/api/v2/dags/{dag_id}/dagRuns")["dag_runs"]
        return runs

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """The run's task instances by task id."""
        response = self.get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances")
        return {item["task_id"]: item for item in response["task_instances"]}

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        return {name: item["state"] for name, item in self.tasks(dag_id, run_id).items()}

    def finish(self, dag_id: str, run_id: str) -> str:
        """Wait for the end of the run; its state."""
        for _ in _polls():
            state = self.get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"]
            if state in _DONE:
                return str(state)
        raise AssertionError(f"{dag_id} did not end: {self.states(dag_id, run_id)}")

    def wait_for_question(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Return when the task waits for a person."""
        self.wait_for_task(dag_id, run_id, task_id, "awaiting_input")
        time.sleep(_SETTLED)

    def wait_for_task(self, dag_id: str, run_id: str, task_id: str, *states: str) -> None:
        """Return when the task is in one of ``states``; fail when the run ends before."""
        for _ in _polls():
            known = self.states(dag_id, run_id)
            if known.get(task_id) in states:
                return
            ended = self.get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"] in _DONE
            assert not ended, f"{dag_id} ended before {task_id} was {states}: {known}"
        raise AssertionError(f"{task_id} was never {states}: {self.states(dag_id, run_id)}")

    def answer(self, dag_id: str, run_id: str, task_id: str, choice: str) -> httpx.Response:
        """Answer what the task asks a person."""
        where = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        body = {"chosen_options": [choice], "params_input": {"comment": "looks sound"}}
        return self.send("PATCH", where, body)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """The value that the task pushed."""
        where = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.get(where, deserialize=True)["value"]

    def log(self, dag_id: str, run_id: str, task_id: str, number: int = 1) -> str:
        """The log of one try, as text."""
        where = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{number}"
        return str(self.get(where, full_content=True))


def _polls() -> Iterator[None]:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        yield
        time.sleep(0.5)
