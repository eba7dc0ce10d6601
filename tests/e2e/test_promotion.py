"""The main job on the real stack: retrained by the scheduler, approved by a person, announced."""

from __future__ import annotations

import json
import time

import httpx
from e2e.airflow_rest import AirflowRest
from support.task_fixtures import CallRegistry

from model_lifecycle.stack.instance import TENANT
from model_lifecycle.stack.seaweed import s3_client
from model_lifecycle.stack.stack import Stack

_DAG = "pulse_retrain"


def test_every_task_succeeds_and_production_is_the_new_version(
    run: str, admin: AirflowRest, ask: CallRegistry
) -> None:
    """The scheduler's workers bring version 1 to production; the ledger's chain is whole."""
    entries = ask(lambda registry: registry.history(TENANT, "pulse"))
    count = ask(lambda registry: registry.verify_ledger(TENANT, "pulse"))
    own = [entry for entry in entries if run in entry.actor]

    assert set(admin.states(_DAG, run).values()) == {"success"}
    assert [entry.kind for entry in own] == ["registered", "policy_set", "moved", "moved"]
    assert (own[-1].production, own[-1].previous_production) == (1, None)
    assert count == len(entries)


def test_the_ledger_names_who_approved(run: str, ask: CallRegistry) -> None:
    """Both answers, before and after the clear, are evidence in the operator's name, and the run
    acted for the admin."""
    evidence = ask(lambda registry: registry.list_evidence(TENANT, "pulse", 1))
    entries = ask(lambda registry: registry.history(TENANT, "pulse"))
    approvals = [item for item in evidence if item.gate == "approval"]

    assert sorted(item.verdict for item in approvals) == ["FAIL", "PASS"]
    assert all("operator" in json.dumps(dict(item.summary)) for item in approvals)
    assert [entry.actor for entry in entries if run in entry.actor] == [
        f"airflow:{_DAG}/{run} for admin"
    ] * 4


def test_an_answer_counts_once(run: str, operator: AirflowRest) -> None:
    """Airflow refuses a second answer of any person."""
    assert operator.answer(_DAG, run, "approve", "Reject").status_code == 409


def test_the_asset_event_starts_the_next_dag(run: str, admin: AirflowRest) -> None:
    """The DAG that waits for the model's production runs, and gets source, target and actor."""
    deadline = time.monotonic() + 120
    while not admin.runs("pulse_deploy") and time.monotonic() < deadline:
        time.sleep(1)
    payloads = []
    for started in admin.runs("pulse_deploy"):
        admin.finish("pulse_deploy", started["dag_run_id"])
        payloads += admin.xcom("pulse_deploy", started["dag_run_id"], "event_payloads")
    (event,) = [event for event in payloads if run in event["actor"]]

    assert (event["from"], event["to"]) == (None, 1)


def test_files_lie_at_their_paths_in_s3(run: str, admin: AirflowRest, stack: Stack) -> None:
    """Bundle, training log, metrics history, gate reports and traffic, as the design says."""
    client = s3_client(stack.instance)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="lifecycle")
    keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    run_id = admin.xcom(_DAG, run, "register")["run_id"]
    shadow = admin.xcom(_DAG, run, "shadow_test")
    expected = [
        *(f"{TENANT}/models/pulse/1/{name}" for name in ("MLmodel", "manifest.json")),
        *(f"{TENANT}/models/pulse/1/{name}" for name in ("model_card.md", "requirements.txt")),
        f"{TENANT}/runs/{run_id}/logs/training.log",
        f"{TENANT}/runs/{run_id}/metrics/history.json",
        f"{TENANT}/reports/pulse/1/shadow-{shadow['evidence_id']}/report.json",
        f"{TENANT}/reports/pulse/1/shadow-{shadow['evidence_id']}/report.html",
    ]
    traffic = [key for key in keys if key.startswith(f"{TENANT}/traffic/pulse/date=2013-07-01/")]

    assert [key for key in expected if key not in keys] == []
    assert traffic
    assert shadow["report_uri"].startswith(f"s3://lifecycle/{TENANT}/reports/pulse/1/shadow-")


def test_no_secret_is_in_logs_or_xcom_or_tags(
    run: str, admin: AirflowRest, stack: Stack, ask: CallRegistry
) -> None:
    """Neither the keys to S3 nor the database's password appear in what a run leaves behind."""
    known = stack.instance.secrets
    secrets = (known.s3_secret_key, known.s3_access_key, known.postgres)
    texts = {}
    for task_id in admin.tasks(_DAG, run):
        texts[f"log of {task_id}"] = admin.log(_DAG, run, task_id)
        keys = admin.get(f"/api/v2/dags/{_DAG}/dagRuns/{run}/taskInstances/{task_id}/xcomEntries")[
            "xcom_entries"
        ]
        for key in (item["key"] for item in keys):
            texts[f"XCom {task_id}.{key}"] = json.dumps(admin.xcom(_DAG, run, task_id, key))
    versions = ask(lambda registry: registry.list_versions(TENANT, "pulse"))
    texts["versions"] = json.dumps([item.document() for item in versions])
    texts["MLflow"] = httpx.get(
        f"{stack.instance.url('mlflow')}/api/2.0/mlflow/model-versions/search"
    ).text

    assert "pulse" in texts["MLflow"]
    assert any("is now in production" in text for text in texts.values())
    assert [where for where, text in texts.items() if any(one in text for one in secrets)] == []


def test_the_mounted_api_asks_for_airflows_login(
    run: str, stack: Stack, admin: AirflowRest, operator: AirflowRest
) -> None:
    """Airflow's server answers for the registry: nobody without a login, each user by its grant,
    and the API's own keys count for nothing there."""
    path = "/model-lifecycle/api/v1/models/pulse"
    url = f"{stack.instance.url('airflow')}{path}"
    key = {"Authorization": f"Bearer {stack.instance.secrets.api_key}"}
    viewer = AirflowRest(stack.instance, "viewer")
    move = {"version": 1, "target_stage": "staging", "reason": "to see who may"}

    assert [httpx.get(url).status_code, httpx.get(url, headers=key).status_code] == [401, 401]
    assert [user.get(path)["stage"] for user in (admin, operator, viewer)] == ["production"] * 3
    assert viewer.send("PUT", f"{path}/stage", move).status_code == 403
    assert operator.send("PUT", f"{path}/stage", move).json()["code"] == "invalid_transition"
    viewer.close()


def test_the_api_beside_airflow_says_the_same(run: str, stack: Stack) -> None:
    """``model-lifecycle serve`` and the plugin stand on the same ledger."""
    answer = httpx.get(
        f"{stack.instance.url('api')}/api/v1/models/pulse",
        headers={"Authorization": f"Bearer {stack.instance.secrets.api_key}"},
    ).json()

    assert (answer["current_version"], answer["stage"]) == ("1", "production")
