"""One PostgreSQL, and on it MLflow's server, our API and the floor; the same models in both."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine, text
from support.servers.mlflow import mlflow_server
from support.servers.postgres import Postgres, free_port, postgres

from model_lifecycle.registry.ledger.api_keys import ApiKeys
from model_lifecycle.registry.ledger.migrate import upgrade
from model_lifecycle.registry.sync import run_sync

TENANTS = ("acme", *(f"tenant-{number}" for number in range(1, 10)))
MODELS_EACH = 1000
RUNS = 100
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Stack:
    mlflow: str
    api: str
    floor: str
    key: str
    run_ids: list[str]
    experiment_id: str


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """All servers, one worker each, with 10 tenants of 1,000 models, until the block ends."""
    with ExitStack() as exits:
        server = exits.enter_context(postgres())
        ledger, tracking = server.create_database("ledger"), server.create_database("mlflow")
        run_sync(upgrade(server.url("asyncpg", ledger)))
        mlflow = exits.enter_context(
            mlflow_server(folder / "mlflow", backend_store_uri=server.url("psycopg2", tracking))
        )
        experiment_id, run_ids = _runs(mlflow)
        _fill(server, ledger, _LEDGER)
        _fill(server, tracking, _MLFLOW)
        key = run_sync(_key(server.url("asyncpg", ledger)))
        environment = {
            "MODEL_LIFECYCLE_HOME": str(folder / "home"),
            "MODEL_LIFECYCLE_DATABASE_URL": server.url("asyncpg", ledger),
            "MODEL_LIFECYCLE_TRACKING_URI": mlflow,
            "MODEL_LIFECYCLE_ARTIFACT_ROOT": str(folder / "artifacts"),
            "FLOOR_DATABASE_URL": server.url("asyncpg", ledger),
        }
        program = str(Path(sys.executable).with_name("model-lifecycle"))
        api = exits.enter_context(_serving(folder, [program, "serve", "--port"], environment))
        command = [sys.executable, "-m", "uvicorn", "floor:app", "--app-dir", str(_HERE)]
        quiet = ["--log-level", "error", "--no-access-log", "--port"]
        floor = exits.enter_context(_serving(folder, [*command, *quiet], environment))
        yield Stack(mlflow, api, floor, key, run_ids, experiment_id)


@contextmanager
def _serving(folder: Path, command: list[str], environment: dict[str, str]) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (folder / f"{port}.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(port)], env={**os.environ, **environment}, stdout=log, stderr=log
        )
    try:
        for _ in range(600):
            if process.poll() is not None:
                raise RuntimeError((folder / f"{port}.log").read_text()[-3000:])
            try:
                httpx.get(url, timeout=2)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(40)


def _runs(mlflow: str) -> tuple[str, list[str]]:
    """100 finished runs of the tenant, with ten metrics and five parameters each."""
    with httpx.Client(base_url=f"{mlflow}/api/2.0/mlflow", timeout=60) as client:

        def post(path: str, **document: object) -> dict[str, Any]:
            answer = client.post(path, json=document)
            answer.raise_for_status()
            created: dict[str, Any] = answer.json()
            return created

        created = post("/experiments/create", name="tenants/acme/models/model-0001")
        experiment_id = created["experiment_id"]
        run_ids = []
        for number in range(RUNS):
            run = post("/runs/create", experiment_id=experiment_id, run_name=f"run {number}")
            run_id = run["run"]["info"]["run_id"]
            metrics = [
                {"key": f"metric_{n}", "value": number / (n + 1), "timestamp": 1, "step": 0}
                for n in range(10)
            ]
            params = [{"key": f"parameter_{n}", "value": str(n)} for n in range(5)]
            post("/runs/log-batch", run_id=run_id, metrics=metrics, params=params)
            run_ids.append(run_id)
    return experiment_id, run_ids


async def _key(url: str) -> str:
    keys = await ApiKeys.open(url)
    key, _ = await keys.create(
        "acme", "benchmark", ["admin"], life=timedelta(days=1), created_by="benchmark"
    )
    await keys.close()
    return key


def _fill(server: Postgres, database: str, statements: tuple[str, ...]) -> None:
    engine = create_engine(server.url("psycopg2", database))
    with engine.begin() as connection:
        for tenant in TENANTS:
            for statement in statements:
                connection.execute(text(statement), {"tenant": tenant, "count": MODELS_EACH})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


_NAME = "'model-' || lpad(n::text, 4, '0')"
_STAGE = "(ARRAY['development', 'staging', 'production', 'archived'])[1 + n % 4]"
_METRICS = """'{"accuracy": 0.95, "auc": 0.9, "brier": 0.08}'"""
_PARAMETERS = """'{"C": "1.0", "max_iter": "100"}'"""
_LEDGER = (
    f"""
    INSERT INTO models (tenant_id, model_id, description, model_type, policy, policy_fingerprint,
        epoch, head_hash, production_version, current_version, stage, framework, created_at,
        created_by, updated_at)
    SELECT :tenant, {_NAME}, 'A model', 'classification', '{{}}', 'sha256:0', 1, 'sha256:0',
        CASE WHEN {_STAGE} = 'production' THEN 1 END, 1, {_STAGE}, 'sklearn', now(), 'kim', now()
    FROM generate_series(0, :count - 1) AS n
    """,
    f"""
    INSERT INTO versions (tenant_id, model_id, version, stage, framework, metrics, parameters,
        tags, artifact_uri, bundle_digest, run_id, logged_model_id, created_at, created_by,
        updated_at)
    SELECT :tenant, {_NAME}, 1, {_STAGE}, 'sklearn', {_METRICS}, {_PARAMETERS},
        '{{"team": "growth"}}', 's3://bucket/x', 'sha256:0', NULL, NULL, now(), 'kim', now()
    FROM generate_series(0, :count - 1) AS n
    """,
)
_MLFLOW = (
    f"""
    INSERT INTO registered_models (name, creation_time, last_updated_time, description, workspace)
    SELECT :tenant || '.' || {_NAME}, 1, 1, 'A model', 'default'
    FROM generate_series(0, :count - 1) AS n
    """,
    f"""
    INSERT INTO registered_model_tags (name, key, value, workspace)
    SELECT :tenant || '.' || {_NAME}, key, value, 'default'
    FROM generate_series(0, :count - 1) AS n,
        LATERAL (VALUES ('stage', {_STAGE}), ('framework', 'sklearn')) AS tags (key, value)
    """,
    f"""
    INSERT INTO model_versions (name, version, creation_time, last_updated_time, description,
        current_stage, source, status, workspace)
    SELECT :tenant || '.' || {_NAME}, 1, 1, 1, 'A version', 'None', 's3://bucket/x', 'READY',
        'default'
    FROM generate_series(0, :count - 1) AS n
    """,
    f"""
    INSERT INTO model_version_tags (name, version, key, value, workspace)
    SELECT :tenant || '.' || {_NAME}, 1, 'lifecycle.stage', {_STAGE}, 'default'
    FROM generate_series(0, :count - 1) AS n
    """,
)
