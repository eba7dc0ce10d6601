"""A registry in service, and others that reach its stores through proxies."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from stress.faults.postgres_proxy import PostgresProxy, postgres_proxy
from stress.faults.proxy import Proxy, http_proxy
from support.registry_fixture import RegistryFixture, trained
from support.servers.service import Service

from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.settings import Settings

_HERE = Path(__file__).parent
#: Warnings about MLflow's code, and about connections that the tests cut.
_OF_OTHERS = ("Operation with range is deprecated", "The ``noload`` loader strategy is deprecated")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder need the servers, and run on one event loop with the proxies."""
    for item in items:
        if item.path.is_relative_to(_HERE) and isinstance(item, pytest.Function):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.service)
            for warning in _OF_OTHERS:
                item.add_marker(pytest.mark.filterwarnings(f"ignore:{warning}"))


@pytest.fixture(scope="session")
def fault_settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """PostgreSQL, MLflow over HTTP and S3, reached directly."""
    service: Service = request.getfixturevalue("service")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc
        import mlflow.sklearn  # noqa: F401
    return Settings({}, **service.registry(tmp_path_factory.mktemp("faults")))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def direct(fault_settings: Settings) -> AsyncIterator[RegistryFixture]:
    """The world as it is: what tests prepare with, and look with afterwards."""
    async with open_registry(fault_settings) as registry:
        tenant = f"acme-{uuid.uuid4().hex[:8]}"
        logged = await registry.log_model(tenant, "origin", trained(), created_by="kim")
        yield RegistryFixture(registry, tenant, (logged.model_uri,))


@pytest_asyncio.fixture(loop_scope="session")
async def mlflow(fault_settings: Settings) -> AsyncIterator[Proxy]:
    """The proxy before MLflow; nothing strikes yet."""
    async with http_proxy(fault_settings.tracking_uri) as proxy:
        yield proxy


@pytest_asyncio.fixture(loop_scope="session")
async def through(
    fault_settings: Settings, mlflow: Proxy, direct: RegistryFixture
) -> AsyncIterator[ModelRegistry]:
    """A registry that reaches MLflow through the proxy, with the timeout of service, and has
    spoken with it before."""
    settings = fault_settings.with_values(tracking_uri=mlflow.url, call_timeout=4)
    async with open_registry(settings) as registry:
        await registry.ping()
        mlflow.requests.clear()
        yield registry


@pytest_asyncio.fixture(loop_scope="session")
async def postgres(fault_settings: Settings) -> AsyncIterator[PostgresProxy]:
    """The proxy before PostgreSQL; nothing strikes yet."""
    from sqlalchemy import make_url

    url = make_url(fault_settings.database_url)
    async with postgres_proxy(str(url.host), int(url.port or 5432)) as proxy:
        yield proxy


@pytest_asyncio.fixture(loop_scope="session")
async def cut(
    fault_settings: Settings, postgres: PostgresProxy, direct: RegistryFixture
) -> AsyncIterator[ModelRegistry]:
    """A registry that reaches its ledger through the proxy."""
    from sqlalchemy import make_url

    url = make_url(fault_settings.database_url).set(host="127.0.0.1", port=postgres.port)
    settings = fault_settings.with_values(database_url=url.render_as_string(False))
    async with open_registry(settings) as registry:
        postgres.arm()
        yield registry
