"""One registry a backend: embedded, and in service. The contract's tests run against both."""

from __future__ import annotations

import inspect
import json
import shutil
import uuid
import warnings
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from support.proofs import proven_life
from support.registry_fixture import RegistryFixture, new_name, trained
from support.servers.service import Service
from support.signing_keys import KeyFiles, make_key

from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.settings import Settings
from model_lifecycle.registry.sync import run_sync

_HERE = Path(__file__).parent
#: Warnings about MLflow's code: how it looks at columns, and how it loads registered models.
_OF_OTHERS = (
    "Operation with range is deprecated",
    "The ``noload`` loader strategy is deprecated",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All async tests of this folder run on one event loop, that of the registries they share."""
    for item in items:
        if not item.path.is_relative_to(_HERE) or not isinstance(item, pytest.Function):
            continue
        if inspect.iscoroutinefunction(item.function):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        for warning in _OF_OTHERS:
            item.add_marker(pytest.mark.filterwarnings(f"ignore:{warning}"))


@pytest.fixture(scope="session")
def blank_home(tmp_path_factory: pytest.TempPathFactory, mlflow_imported: None) -> Path:
    """An embedded registry without models. MLflow's tables take seconds to make, so they are made
    once and copied."""
    home = tmp_path_factory.mktemp("blank") / "home"

    async def make() -> None:
        async with open_registry(Settings({}, home=home)) as registry:
            await registry.ping()

    run_sync(make())
    return home


@pytest.fixture(scope="session")
def embedded_settings(tmp_path_factory: pytest.TempPathFactory, blank_home: Path) -> Settings:
    """SQLite for the ledger and for MLflow, and a local folder."""
    home = tmp_path_factory.mktemp("embedded") / "home"
    return Settings({}, home=shutil.copytree(blank_home, home))


@pytest.fixture
def new_settings(tmp_path: Path, blank_home: Path) -> Settings:
    """An embedded registry of the test's own."""
    return Settings({}, home=shutil.copytree(blank_home, tmp_path / "home"))


@pytest.fixture(scope="session")
def service_settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """PostgreSQL for the ledger, S3, and an MLflow server over HTTP."""
    service: Service = request.getfixturevalue("service")
    return Settings({}, **service.registry(tmp_path_factory.mktemp("registry")))


@pytest.fixture(
    scope="session", params=["embedded", pytest.param("service", marks=pytest.mark.service)]
)
def settings(request: pytest.FixtureRequest) -> Settings:
    """Each backend in turn."""
    chosen: Settings = request.getfixturevalue(f"{request.param}_settings")
    return chosen


@pytest.fixture(scope="session")
def mlflow_imported() -> None:
    """MLflow warns about its own code while it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc
        import mlflow.sklearn  # noqa: F401


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def registry(settings: Settings, mlflow_imported: None) -> AsyncIterator[ModelRegistry]:
    async with open_registry(settings) as registry:
        yield registry


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(registry: ModelRegistry) -> RegistryFixture:
    """A tenant with two logged models, from which tests register versions."""
    return await _tenant(registry, (1.0, 0.1))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def local(
    embedded_settings: Settings, mlflow_imported: None
) -> AsyncIterator[RegistryFixture]:
    """The same in the embedded registry only, for what the backend makes no difference to."""
    async with open_registry(embedded_settings) as registry:
        yield await _tenant(registry, (1.0,))


@pytest_asyncio.fixture(loop_scope="session")
async def apart(registry: ModelRegistry) -> RegistryFixture:
    """A tenant of the test's own, with one logged model."""
    return await _tenant(registry, (1.0,))


@pytest.fixture
def model_id() -> str:
    """A model of the test's own."""
    return new_name()


@pytest.fixture(scope="session")
def by_hand(settings: Settings, mlflow_imported: None) -> Any:
    """MLflow's own client, with which people do things without the registry."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=settings.tracking_uri, registry_uri=settings.tracking_uri)


async def _tenant(registry: ModelRegistry, strengths: tuple[float, ...]) -> RegistryFixture:
    tenant = f"acme-{uuid.uuid4().hex[:8]}"
    sources = []
    for strength in strengths:
        logged = await registry.log_model(tenant, "origin", trained(strength), created_by="kim")
        sources.append(logged.model_uri)
    return RegistryFixture(registry, tenant, tuple(sources))


@pytest.fixture(scope="session")
def proof_keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[KeyFiles, KeyFiles]:
    """The ledger's key and a gate's."""
    folder = tmp_path_factory.mktemp("keys")
    return make_key(folder, "ledger"), make_key(folder, "gate")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def prover(
    settings: Settings, world: RegistryFixture, proof_keys: tuple[KeyFiles, KeyFiles]
) -> AsyncIterator[RegistryFixture]:
    """The shared tenant, seen through a registry with both keys."""
    values = {"ledger_key": str(proof_keys[0].private), "gate_key": str(proof_keys[1].private)}
    async with open_registry(settings.with_values(**values)) as registry:
        yield replace(world, registry=registry)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def proof(prover: RegistryFixture, proof_keys: tuple[KeyFiles, KeyFiles]) -> dict[str, Any]:
    """The proof of a version in production, as it is read from a file."""
    await proven_life(prover, "proven", proof_keys[1])
    document = await prover.registry.export_proof(prover.tenant, "proven", 2)
    return dict(json.loads(json.dumps(document)))
