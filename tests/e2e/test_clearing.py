"""Airflow's own clear, over REST: a cleared task does its work again."""

from __future__ import annotations

from e2e.airflow_rest import AirflowRest
from support.task_fixtures import CallRegistry

from model_lifecycle.stack.instance import TENANT

_DAG = "cleared_train"


def test_corrected_training_becomes_the_next_version(admin: AirflowRest, ask: CallRegistry) -> None:
    """After the clear, train logs what the corrected code gives, and register registers it."""
    run = admin.trigger(_DAG)
    assert admin.finish(_DAG, run) == "success"
    first = admin.xcom(_DAG, run, "register")
    admin.clear(_DAG, run, "train", "register")
    assert admin.finish(_DAG, run) == "success"
    second = admin.xcom(_DAG, run, "register")
    versions = ask(lambda registry: registry.list_versions(TENANT, "cleared"))

    assert [(item["version"], item["created"]) for item in (first, second)] == [
        (1, True),
        (2, True),
    ]
    assert len({item.parameters["corrected_at"] for item in versions}) == 2
