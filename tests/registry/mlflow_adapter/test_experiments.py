from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from model_lifecycle.registry.domain.errors import AlreadyExists
from model_lifecycle.registry.domain.identifiers import TenantId, model_id, tenant_id
from model_lifecycle.registry.mlflow_adapter.client import MlflowTracking

CHURN = model_id("churn")


async def test_an_experiment_is_created_once(
    tracking: MlflowTracking, tenant: TenantId, artifact_root: str
) -> None:
    """Ensuring twice gives the same experiment, at the location of the first time."""
    first = await tracking.ensure_experiment(tenant, CHURN, artifact_root)
    second = await tracking.ensure_experiment(tenant, CHURN, f"{artifact_root}-other")
    [record] = await tracking.experiments(tenant)

    assert first == second
    assert (first, "churn", f"tenants/{tenant}/models/churn") == (
        record.experiment_id,
        record.model_id,
        record.name,
    )
    assert Path(artifact_root) == Path(record.artifact_location.removeprefix("file://"))
    assert record.created_at is not None


async def test_experiments_are_listed_by_name(
    tracking: MlflowTracking, tenant: TenantId, artifact_root: str
) -> None:
    """The order does not depend on when they were created."""
    for name in ("b", "a.2", "a"):
        await tracking.ensure_experiment(tenant, model_id(name), artifact_root)

    assert [item.model_id for item in await tracking.experiments(tenant)] == ["a", "a.2", "b"]


async def test_another_tenants_experiments_never_come_back(
    tracking: MlflowTracking, tenant: TenantId, artifact_root: str
) -> None:
    """A tenant whose name is a prefix of another's sees its own experiments only."""
    longer = tenant_id(f"{tenant}-b")
    await tracking.ensure_experiment(tenant, model_id("x_y"), artifact_root)
    await tracking.ensure_experiment(longer, model_id("xay"), artifact_root)
    await tracking.ensure_experiment(longer, model_id("models"), artifact_root)

    assert [item.model_id for item in await tracking.experiments(tenant)] == ["x_y"]
    assert [item.model_id for item in await tracking.experiments(longer)] == ["models", "xay"]
    assert await tracking.experiments(tenant_id(tenant[:-1])) == []


async def test_concurrent_creators_get_the_same_experiment(
    tracking: MlflowTracking, tenant: TenantId, artifact_root: str
) -> None:
    """Of twelve who create it at once, none fails and all get one id."""
    ids = await asyncio.gather(
        *(tracking.ensure_experiment(tenant, CHURN, artifact_root) for _ in range(12))
    )

    assert len(set(ids)) == 1
    assert len(await tracking.experiments(tenant)) == 1


async def test_a_deleted_experiment_is_not_silently_replaced(
    embedded: MlflowTracking, tenant: TenantId, artifact_root: str
) -> None:
    """The error says how to restore what somebody deleted in MLflow."""
    experiment = await embedded.ensure_experiment(tenant, CHURN, artifact_root)
    await embedded._connection.call(lambda stores: stores.tracking.delete_experiment(experiment))

    with pytest.raises(AlreadyExists, match="mlflow experiments restore"):
        await embedded.ensure_experiment(tenant, CHURN, artifact_root)

    assert await embedded.experiments(tenant) == []
