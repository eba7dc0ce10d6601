"""An interrupted registration is finished from what its own plan recorded, not from tags."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture, new_name, trained

from model_lifecycle.registry.domain.models import EntryKind
from model_lifecycle.registry.factory import open_registry


async def test_a_tag_does_not_take_a_registration_over(
    apart: RegistryFixture, by_hand: Any, model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody makes a version from another model with the operation's tag while it is under way:
    it is adopted as theirs, and the caller gets their own model."""
    registry, tenant = apart.registry, apart.tenant
    other = await registry.log_model(tenant, "other", trained(0.01), created_by="eve")
    folder = by_hand.get_logged_model(other.model_uri.removeprefix("models:/")).artifact_location
    await apart.promoted(model_id)
    reached, go_on = asyncio.Event(), asyncio.Event()
    versions = registry._registration._steps.mlflow_versions
    create = versions.create

    async def held(*arguments: Any, **named: Any) -> int:
        reached.set()
        await go_on.wait()
        return await create(*arguments, **named)

    monkeypatch.setattr(versions, "create", held)
    operation_id = new_name("retrain")
    call = asyncio.create_task(
        registry.register_model(
            tenant,
            model_id,
            apart.sources[0],
            "sklearn",
            {"accuracy": 0.99},
            None,
            created_by="airflow:retrain",
            operation_id=operation_id,
        )
    )
    await reached.wait()
    by_hand.create_model_version(
        f"{tenant}.{model_id}", source=folder, tags={"lifecycle.operation_id": operation_id}
    )
    async with open_registry(registry.settings) as second:
        findings = await second.reconcile(tenant)
    go_on.set()
    answer = await call

    assert [(item.code, item.version) for item in findings] == [("adopted", 2)]
    adopted = await registry.get_version(tenant, model_id, 2)
    own = await registry.get_version(tenant, model_id, 3)
    entries = await apart.history(model_id)
    assert adopted is not None
    assert own is not None
    assert (adopted.metrics, entries[-2].kind) == (
        {"accuracy": 0.95, "auc": 0.9},
        EntryKind.ADOPTED,
    )
    assert own.logged_model_id == apart.sources[0].removeprefix("models:/")
    assert (own.metrics, entries[-1].actor) == ({"accuracy": 0.99}, "airflow:retrain")
    assert answer.versions == (1, 2, 3)


async def test_a_logged_model_with_the_tag_is_not_taken(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """A repetition of a registration from an object logs its own model, whatever another one in
    the experiment says it belongs to."""
    registry, tenant = apart.registry, apart.tenant
    operation_id = new_name("register")
    missing_csrf_header = await registry.log_model(
        tenant, model_id, trained(0.01), created_by="eve"
    )
    by_hand.set_logged_model_tags(
        missing_csrf_header.model_uri.removeprefix("models:/"),
        {"lifecycle.operation_id": operation_id},
    )
    own = trained()
    arguments: dict[str, Any] = {"created_by": "kim", "operation_id": operation_id}
    registration = registry._registration
    begin = registration._stores.ledger.begin_operation

    class Stopped(Exception):
        pass

    async def stop(*values: Any, **named: Any) -> Any:
        await begin(*values, **named)
        raise Stopped

    object.__setattr__(registration._stores.ledger, "begin_operation", stop)
    try:
        await registry.register_model(
            tenant, model_id, own.model, "sklearn", {"auc": 0.9}, None, **arguments
        )
    except Stopped:
        pass
    finally:
        object.__delattr__(registration._stores.ledger, "begin_operation")
    await registry.register_model(
        tenant, model_id, own.model, "sklearn", {"auc": 0.9}, None, **arguments
    )
    version = await registry.get_version(tenant, model_id, 1)

    assert version is not None
    assert version.logged_model_id != missing_csrf_header.model_uri.removeprefix("models:/")
    loaded: Any = await registry.load_model(tenant, model_id, 1)
    assert loaded.model.C == 1.0
