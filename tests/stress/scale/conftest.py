"""A small ledger and a large one on each database, filled once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from stress.scale.population import populate

from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.ledger.migrate import upgrade
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.settings import Settings

_HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE) and isinstance(item, pytest.Function):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@dataclass(frozen=True)
class Sizes:
    """``small`` has 100 models in one tenant, ``large`` 10,000 in fifty and one of 5,000
    versions."""

    small: ModelRegistry
    large: ModelRegistry


@pytest_asyncio.fixture(
    scope="session",
    loop_scope="session",
    params=[
        "sqlite",
        pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.stress]),
    ],
)
async def sizes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sizes]:
    def settings(name: str) -> Settings:
        home = tmp_path_factory.mktemp(name)
        if request.param == "sqlite":
            return Settings({}, home=home)
        server = request.getfixturevalue("postgres_server")
        return Settings({}, home=home, database_url=server.url("asyncpg", server.create_database()))

    small, large = settings("small"), settings("large")
    for one in (small, large):
        await upgrade(one.database_url)
    async with open_registry(small) as few, open_registry(large) as many:
        await populate(few._stores.ledger._engine, _root(small), tenants=1, models_each=100)
        await populate(
            many._stores.ledger._engine,
            _root(large),
            tenants=50,
            models_each=200,
            giant_versions=5000,
        )
        yield Sizes(few, many)


def _root(settings: Settings) -> str:
    return Path(settings.artifact_root).as_uri()
