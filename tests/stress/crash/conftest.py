"""A warm process for each backend."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from stress.crash.matrix import Warm, warm

from model_lifecycle.registry.ledger.migrate import upgrade
from model_lifecycle.registry.sync import run_sync

_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Two SQLite files and a folder; in memory where there is room, since a killed process loses
    nothing that it has handed to the kernel."""
    folder = Path(tempfile.mkdtemp(prefix="crash-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        with warm({"home": str(folder / "home")}, tmp_path_factory.mktemp("log") / "warm") as case:
            yield case
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def in_service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warm]:
    """PostgreSQL, S3 and an MLflow server over HTTP."""
    service = request.getfixturevalue("service")
    url = service.postgres.url("asyncpg", service.postgres.create_database())
    run_sync(upgrade(url))
    settings = {
        "home": str(tmp_path_factory.mktemp("service")),
        "database_url": url,
        "tracking_uri": service.mlflow_url,
        "artifact_root": service.seaweed.create_bucket(f"crash-{uuid.uuid4().hex[:8]}"),
        "s3_endpoint_url": service.seaweed.url,
        "call_timeout": 30,
    }
    with warm(settings, tmp_path_factory.mktemp("log") / "warm") as case:
        yield case
