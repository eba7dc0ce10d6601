"""Operations that were begun and left nothing anywhere."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update
from support.registry_fixture import new_name

from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.ledger.engine import writing
from model_lifecycle.registry.ledger.tables import operations
from model_lifecycle.registry.settings import Settings


async def test_an_operation_of_a_model_that_never_came_to_be_is_forgotten(
    fault_settings: Settings,
) -> None:
    """After an hour, although neither the ledger nor MLflow knows the model."""
    tenant = new_name("acme")

    async with open_registry(fault_settings) as registry:
        ledger = registry._stores.ledger
        await ledger.begin_operation(
            TenantId(tenant), ModelId("churn"), "op-1", "sha256:" + "0" * 64, {}
        )
        at_once = await registry.reconcile(tenant)
        # The database's clock decides, so the operation is made older, not this process's clock.
        async with writing(ledger._engine) as connection:
            await connection.execute(
                update(operations)
                .where(operations.c.tenant_id == tenant)
                .values(started_at=ledger.clock() - timedelta(hours=2))
            )
        first = await registry.reconcile(tenant)
        again = await registry.reconcile(tenant)

    assert at_once == []
    assert [item.code for item in first] == ["operation_abandoned"]
    assert again == []
