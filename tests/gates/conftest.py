"""A small world with a real registry: requests with two features, labels, models good and bad."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pandas as pd
import pytest
from support.model_fixture import START, ModelFixture, requests

from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.settings import Settings

#: MLflow, SQLAlchemy and skops warn of each other; what our own modules warn of stays an error.
_OURS_ONLY = pytest.mark.filterwarnings("ignore", "error:::model_lifecycle")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "world" in getattr(item, "fixturenames", ()):
            item.add_marker(_OURS_ONLY)


_TENANT = f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture
async def world(home: Path, tmp_path: Path) -> AsyncIterator[ModelFixture]:
    """A model of its own in a registry that all tests share."""
    async with open_registry(Settings({}, home=home)) as registry:
        yield ModelFixture(registry, _TENANT, tmp_path, f"clicks-{uuid.uuid4().hex[:12]}")


@pytest.fixture
async def champion(world: ModelFixture) -> int:
    """A weak version in production, and a policy with hourly blocks."""
    version = await world.register("weak")
    await world.policy()
    await world.promote(version)
    return version


@pytest.fixture
def start() -> str:
    return START.isoformat()


@pytest.fixture
def make_requests() -> Callable[..., pd.DataFrame]:
    return requests
