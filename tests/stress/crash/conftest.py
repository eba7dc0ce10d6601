"""A warm process for each backend."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from stress.crash.matrix import Warm, warm
from support.servers.service import Service

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
    service: Service = request.getfixturevalue("service")
    settings = service.registry(tmp_path_factory.mktemp("crash"))
    with warm(settings, tmp_path_factory.mktemp("log") / "warm") as case:
        yield case
