"""The real thing: `model-lifecycle serve` with two workers on PostgreSQL, S3 and MLflow."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.http import Tenant, furnished
from support.servers.postgres import free_port
from support.servers.service import Service

from model_lifecycle.registry.settings import Settings
from model_lifecycle.registry.sync import run_sync

pytestmark = [pytest.mark.service, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def service_settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    service: Service = request.getfixturevalue("service")
    return Settings({}, **service.registry(tmp_path_factory.mktemp("api")))


@pytest.fixture(scope="module")
def two(service_settings: Settings, mlflow_imported: None) -> list[Tenant]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run_sync(furnished(service_settings, "acme", "globex"))


@pytest.fixture(scope="module")
def server(
    service_settings: Settings, two: list[Tenant], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes], Path]]:
    port = free_port()
    log = tmp_path_factory.mktemp("serve") / "log"
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
        "MODEL_LIFECYCLE_HOME": str(service_settings.home),
        "MODEL_LIFECYCLE_DATABASE_URL": service_settings.database_url,
        "MODEL_LIFECYCLE_TRACKING_URI": service_settings.tracking_uri,
        "MODEL_LIFECYCLE_ARTIFACT_ROOT": service_settings.artifact_root,
        "MODEL_LIFECYCLE_S3_ENDPOINT_URL": service_settings.s3_endpoint_url or "",
        "MODEL_LIFECYCLE_CALL_TIMEOUT": "30",
    }
    program = Path(sys.executable).with_name("model-lifecycle")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(program), "serve", "--port", str(port), "--workers", "2"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        try:
            for _ in range(600):
                assert process.poll() is None, log.read_text()[-3000:]
                try:
                    client.get("/healthz")
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield client, process, log
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)


def test_a_hundred_interleaved_requests_never_cross(
    server: tuple[httpx.Client, Any, Path], two: list[Tenant]
) -> None:
    """Two tenants with models of the same names, asked at once over both workers: each gets its
    own, whatever the other is doing."""
    client, _, _ = server
    for tenant in two:
        for number in range(3):
            bodies = {
                "name": f"model-{number}",
                "source": tenant.source,
                "description": tenant.tenant_id,
            }
            answer = client.post(
                "/api/v1/models", json=bodies, headers=tenant.headers("contributor")
            )

            assert answer.status_code == 201, answer.text

    def ask(number: int) -> tuple[str, set[str]]:
        tenant = two[number % 2]
        paths = (
            f"/models/model-{number % 3}",
            "/models",
            f"/models/model-{number % 3}/versions",
            f"/models/model-{number % 3}/history",
            "/experiments",
        )
        answer = client.get(f"/api/v1{paths[number % 5]}", headers=tenant.headers("viewer"))

        assert answer.status_code == 200, answer.text
        document = answer.json()
        items = document.get("items", [document])
        tenants = {item.get("tenant_id") or item["name"].split("/")[1] for item in items}
        return tenant.tenant_id, tenants

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(ask, range(100)))

    assert [tenants for _, tenants in answers] == [{tenant} for tenant, _ in answers]


def test_promotion_races_over_two_workers(
    server: tuple[httpx.Client, Any, Path], two: list[Tenant]
) -> None:
    """Of two promotions with the same If-Match at once, one wins and the other is 412."""
    client, _, _ = server
    tenant, name = two[0], "raced"
    headers = tenant.headers("admin")
    for _ in range(2):
        client.post(
            "/api/v1/models", json={"name": name, "source": tenant.source}, headers=headers
        ).raise_for_status()

    def force(version: int, stage: str, **more: str) -> int:
        body = {"version": version, "target_stage": stage, "reason": "drill", "force": True}
        path = f"/api/v1/models/{name}/stage"
        return client.put(path, json=body, headers={**headers, **more}).status_code

    staged = [force(version, "staging") for version in (1, 2)]
    tag = client.get(f"/api/v1/models/{name}", headers=headers).headers["etag"]
    with ThreadPoolExecutor(2) as threads:
        raced = list(
            threads.map(lambda version: force(version, "production", **{"If-Match": tag}), (1, 2))
        )
    history = client.get(f"/api/v1/models/{name}/history", headers=headers).json()["items"]

    assert staged == [200, 200]
    assert sorted(raced) == [200, 412]
    assert [entry["production"] for entry in history].count(None) == len(history) - 1


def test_probes_name_each_part(server: tuple[httpx.Client, Any, Path]) -> None:
    """/readyz tells ledger, MLflow and artifacts apart; /metrics counts for both workers."""
    client, _, _ = server
    ready = client.get("/readyz")
    for _ in range(20):
        client.get("/healthz")
    metrics = client.get("/metrics").text

    assert ready.status_code == 200
    assert set(ready.json()["parts"]) == {"ledger", "mlflow", "artifacts"}
    assert 'route="/healthz",status="200"' in metrics
    assert "acme" not in metrics


def test_the_log_holds_requests_and_no_secrets(
    server: tuple[httpx.Client, Any, Path], two: list[Tenant]
) -> None:
    """One line of JSON a request, with its id; no key, no password, no address of a store."""
    import json

    client, _, log = server
    given = uuid.uuid4().hex
    answer = client.get(
        "/api/v1/models", headers={**two[0].headers("viewer"), "X-Request-ID": given}
    )
    time.sleep(0.2)
    text = log.read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    mine = [line for line in lines if line.get("request_id") == given]

    assert answer.headers["x-request-id"] == given
    assert [(line["route"], line["status"], line["tenant"]) for line in mine] == [
        ("/api/v1/models", 200, "acme")
    ]
    assert not [key for tenant in two for key in tenant.keys.values() if key[20:] in text]
    assert "postgresql" not in text


def test_a_stop_lets_running_requests_finish(
    server: tuple[httpx.Client, subprocess.Popen[bytes], Path], two: list[Tenant]
) -> None:
    """After SIGTERM a registration that runs is answered, and the server is gone soon after."""
    client, process, _ = server
    statuses: list[int] = []

    def register() -> None:
        body = {"name": "late", "source": two[0].source}
        answer = client.post("/api/v1/models", json=body, headers=two[0].headers("contributor"))
        statuses.append(answer.status_code)

    running = threading.Thread(target=register)
    running.start()
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    running.join(60)

    assert statuses == [201]
    assert process.wait(30) in (0, -signal.SIGTERM)
