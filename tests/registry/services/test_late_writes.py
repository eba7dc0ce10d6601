"""Writes that arrive in MLflow late: after their caller was cancelled, after a newer change."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture

from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.mlflow_adapter.sql_registry import DatabaseRegistry
from model_lifecycle.registry.settings import Settings


def _alias(by_hand: Any, world: RegistryFixture, model_id: str) -> int | None:
    version = by_hand.get_registered_model(f"{world.tenant}.{model_id}").aliases.get("production")
    return None if version is None else int(version)


async def test_a_cancelled_promotion_sees_what_its_late_request_arrives_on(
    new_settings: Settings, model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 2 is promoted, its request for the alias is slow and its caller cancelled; version 3
    is promoted; then the request arrives. The alias is put right without anybody's doing."""
    from mlflow import MlflowClient
    from support.registry_fixture import trained

    uri = new_settings.tracking_uri
    by_hand = MlflowClient(tracking_uri=uri, registry_uri=uri)
    settings = new_settings.with_values(call_timeout=20.0)
    async with open_registry(settings) as first, open_registry(settings) as second:
        logged = await first.log_model("acme", "origin", trained(), created_by="kim")
        one, two = (RegistryFixture(item, "acme", (logged.model_uri,)) for item in (first, second))
        await one.promoted(model_id)
        await one.staged(model_id)
        await one.judged(model_id, 2)
        await two.staged(model_id)
        original = DatabaseRegistry.set_registered_model_alias
        reached, go_on = threading.Event(), threading.Event()

        def slow(self: DatabaseRegistry, name: str, alias: str, version: int) -> None:
            if version == 2 and not reached.is_set():
                reached.set()
                go_on.wait(20)
            original(self, name, alias, version)

        monkeypatch.setattr(DatabaseRegistry, "set_registered_model_alias", slow)
        promotion = asyncio.create_task(one.move(model_id, 2, "production"))
        await asyncio.to_thread(reached.wait, 20)
        promotion.cancel()
        with pytest.raises(asyncio.CancelledError):
            await promotion
        await two.judged(model_id, 3)
        await two.move(model_id, 3, "production")
        between = _alias(by_hand, one, model_id)
        go_on.set()
        await first.close()

        assert between == 3
        assert _alias(by_hand, one, model_id) == 3
        assert await second.reconcile("acme") == []


async def _register(world: RegistryFixture, model_id: str) -> None:
    await world.version(model_id)


async def _move(world: RegistryFixture, model_id: str) -> None:
    await world.move(model_id, 3, "staging", force=True, reason="urgent")


async def _delete(world: RegistryFixture, model_id: str) -> None:
    await world.registry.delete_model(world.tenant, model_id, 3, actor="kim", reason="unused")


@pytest.mark.parametrize("operation", [_register, _move, _delete])
async def test_the_next_operation_notices_a_late_alias(
    apart: RegistryFixture,
    by_hand: Any,
    model_id: str,
    operation: Callable[[RegistryFixture, str], Awaitable[None]],
) -> None:
    """A request of a writer that is gone arrives after a newer promotion, and nobody left a note
    of it: whatever is done next with the model puts the alias back."""
    await apart.promoted(model_id)
    await apart.promoted(model_id)
    await apart.version(model_id)
    by_hand.set_registered_model_alias(f"{apart.tenant}.{model_id}", "production", "1")
    await operation(apart, model_id)

    assert _alias(by_hand, apart, model_id) == 2
    assert await apart.registry.reconcile(apart.tenant) == []


async def test_a_repeated_call_notices_it_too(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """Although it changes nothing itself."""
    await apart.promoted(model_id)
    await apart.staged(model_id)
    await apart.judged(model_id, 2)
    operation_id = f"{model_id}/promote"
    await apart.move(model_id, 2, "production", operation_id=operation_id)
    by_hand.set_registered_model_alias(f"{apart.tenant}.{model_id}", "production", "1")
    await apart.move(model_id, 2, "production", operation_id=operation_id)

    assert _alias(by_hand, apart, model_id) == 2
