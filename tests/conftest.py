"""Servers that tests of several folders share: each is started once, when first needed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

# What is in `tests/support` is imported by tests of every folder.
sys.path.insert(0, str(Path(__file__).parent))

# The same cases at every run, so that a failure is the commit's. `make fuzz` looks for new ones.
settings.register_profile("reproducible", derandomize=True)
settings.register_profile("explore", derandomize=False, print_blob=True)
settings.load_profile("reproducible")

if TYPE_CHECKING:
    from support.servers.postgres import Postgres
    from support.servers.service import Service

_KEY: pytest.StashKey[Any] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "postgres: needs a PostgreSQL server")
    config.addinivalue_line("markers", "service: needs PostgreSQL, S3 and an MLflow server")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the servers while tests that need none of them run: MLflow's takes half a minute."""
    from support.servers.service import Starting

    markers = {mark.name for item in session.items for mark in item.iter_markers()}
    if markers & {"postgres", "service"} and not session.config.option.collectonly:
        session.config.stash[_KEY] = Starting(with_mlflow="service" in markers)


def pytest_unconfigure(config: pytest.Config) -> None:
    starting = config.stash.get(_KEY, None)
    if starting is not None:
        starting.stop()


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> Postgres:
    """One PostgreSQL server for the whole session; tests make databases of their own in it."""
    postgres: Postgres = pytestconfig.stash[_KEY].postgres
    return postgres


@pytest.fixture(scope="session")
def service(pytestconfig: pytest.Config) -> Iterator[Service]:
    """PostgreSQL, S3 and an MLflow server over HTTP, with the environment that reaches them."""
    service: Service = pytestconfig.stash[_KEY].service()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in service.seaweed.environment().items():
            patch.setenv(name, value)
        yield service
