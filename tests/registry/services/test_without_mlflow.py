"""Behind an MLflow server, what only mirrors the ledger leaves MLflow's package unimported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from support.registry_fixture import RegistryFixture, new_name, trained

from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.settings import Settings

pytestmark = pytest.mark.service

#: A task's process: it does ``{call}`` and tells which of the packages were imported for it.
_PROGRAM = """
import asyncio, json, sys
from model_lifecycle.registry.factory import open_registry

async def main(tenant, model, version):
    async with open_registry() as registry:
        await {call}

asyncio.run(main(*json.loads(sys.argv[1])))
print(json.dumps(sorted({{"mlflow", "pandas", "sklearn"}} & set(sys.modules))))
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(service_settings: Settings, mlflow_imported: None) -> AsyncIterator[ModelRegistry]:
    async with open_registry(service_settings) as registry:
        yield registry


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tenant(served: ModelRegistry) -> RegistryFixture:
    """A tenant of this module with one logged model."""
    name = new_name("acme")
    logged = await served.log_model(name, "origin", trained(), created_by="kim")
    return RegistryFixture(served, name, (logged.model_uri,))


def imported_by(call: str, world: RegistryFixture, model: str, version: int) -> list[str]:
    """Do ``call`` in a process of its own; the packages that it has imported."""
    settings = world.registry.settings
    process = {
        "MODEL_LIFECYCLE_HOME": str(settings.home),
        "MODEL_LIFECYCLE_DATABASE_URL": settings.database_url,
        "MODEL_LIFECYCLE_TRACKING_URI": settings.tracking_uri,
        "MODEL_LIFECYCLE_ARTIFACT_ROOT": settings.artifact_root,
        "MODEL_LIFECYCLE_S3_ENDPOINT_URL": settings.s3_endpoint_url or "",
    }
    done = subprocess.run(
        [
            *(sys.executable, "-c", _PROGRAM.format(call=call)),
            json.dumps([world.tenant, model, version]),
        ],
        env={**os.environ, **process},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    modules: list[str] = json.loads(done.stdout.splitlines()[-1])
    return modules


async def alias(world: RegistryFixture, model: str) -> int | None:
    """Where MLflow's alias of production points."""
    tracking = world.registry._stores.tracking
    registered = await tracking.registered_model(f"{world.tenant}.{model}")
    assert registered is not None
    return registered.aliases.get("production")


async def test_a_promotion(tenant: RegistryFixture) -> None:
    """Committed, and shown in MLflow."""
    model = new_name()
    await tenant.promoted(model)
    second = await tenant.staged(model)
    await tenant.judged(model, second)
    call = "registry.transition_stage(tenant, model, version, 'production', actor='kim')"

    assert imported_by(call, tenant, model, second) == []
    assert await alias(tenant, model) == second


async def test_a_rollback(tenant: RegistryFixture) -> None:
    """The bundle is verified, the earlier version comes back, and MLflow shows it."""
    model = new_name()
    first = await tenant.promoted(model)
    await tenant.promoted(model)
    call = "registry.rollback(tenant, model, to_version=version, actor='kim', reason='late')"

    assert imported_by(call, tenant, model, first) == []
    assert await alias(tenant, model) == first


async def test_a_deletion(tenant: RegistryFixture) -> None:
    """The version goes in both."""
    model = new_name()
    await tenant.promoted(model)
    version = await tenant.version(model)
    call = "registry.delete_model(tenant, model, version, actor='kim', reason='unused')"

    assert imported_by(call, tenant, model, version) == []
    assert await tenant.registry.get_version(tenant.tenant, model, version) is None


async def test_reconciling(tenant: RegistryFixture) -> None:
    """A change that somebody made in MLflow is detected and healed."""
    model = new_name()
    version = await tenant.promoted(model)
    tracking = tenant.registry._stores.tracking
    await tracking.delete_alias(f"{tenant.tenant}.{model}", "production")

    assert imported_by("registry.reconcile(tenant)", tenant, model, version) == []
    assert await alias(tenant, model) == version


async def test_asking_whether_all_is_well(tenant: RegistryFixture) -> None:
    """Both halves of MLflow are asked."""
    assert imported_by("registry.ping()", tenant, "", 0) == []
