"""A sweep of the outbox finishes what a killed, cancelled or cut off writer left."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from support.registry_fixture import RegistryFixture, trained
from support.servers.postgres import free_port

from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.domain.models import EntryKind
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.ledger import outbox
from model_lifecycle.registry.ledger.engine import writing
from model_lifecycle.registry.ledger.ledger import Ledger
from model_lifecycle.registry.ledger.tables import projections
from model_lifecycle.registry.mlflow_adapter.sql_registry import DatabaseRegistry
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.settings import Settings


def _alias(by_hand: Any, world: RegistryFixture, model_id: str) -> int | None:
    version = by_hand.get_registered_model(f"{world.tenant}.{model_id}").aliases.get("production")
    return None if version is None else int(version)


async def _pending(world: RegistryFixture, model_id: str) -> list[Any]:
    read = world.registry._stores.ledger.read
    return list(await read.projections(TenantId(world.tenant), ModelId(model_id)))


async def _pass_time(ledger: Ledger, model_id: str, passed: timedelta) -> None:
    """Date the model's pending rows back."""
    async with writing(ledger._engine) as connection:
        for row in await _rows(connection, model_id):
            times = {
                name: row[name] - passed
                for name in ("written_at", "next_attempt_at", "settles_at")
                if row[name] is not None
            }
            statement = update(projections).where(projections.c.token == row["token"])
            await connection.execute(statement.values(**times))


async def _rows(connection: Any, model_id: str) -> list[Any]:
    rows = await connection.execute(projections.select().where(projections.c.model_id == model_id))
    return list(rows.mappings())


async def _judged_candidate(world: RegistryFixture, model_id: str) -> int:
    await world.promoted(model_id)
    version = await world.staged(model_id)
    await world.judged(model_id, version)
    return version


async def test_a_killed_promotion_is_finished_within_seconds(
    world: RegistryFixture, settings: Settings, by_hand: Any, model_id: str
) -> None:
    """The alias follows although nobody calls anything, and the row is finished once no request
    of the killed writer can arrive any more."""
    version = await _judged_candidate(world, model_id)
    arguments = {
        name: str(getattr(settings, name))
        for name in ("home", "database_url", "tracking_uri", "artifact_root", "s3_endpoint_url")
        if getattr(settings, name)
    }
    program = str(Path(__file__).with_name("killed_writer.py"))
    command = [sys.executable, program, json.dumps(arguments), world.tenant, model_id, str(version)]
    killed = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    started = time.monotonic()
    before = _alias(by_hand, world, model_id)
    while _alias(by_hand, world, model_id) != version and time.monotonic() < started + 15:
        await world.registry.sweep_outbox()
        await asyncio.sleep(0.2)
    took = time.monotonic() - started

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert before == 1
    assert took < 10
    assert len(await _pending(world, model_id)) == 1
    await _pass_time(world.registry._stores.ledger, model_id, outbox.SETTLING)
    assert await world.registry.sweep_outbox() >= 1
    assert await _pending(world, model_id) == []


async def test_a_running_writer_is_left_alone(local: RegistryFixture, model_id: str) -> None:
    """A row that was written a moment ago belongs to its writer; a finished one to nobody."""
    await local.version(model_id)
    ledger = local.registry._stores.ledger
    async with ledger.begin(TenantId(local.tenant), ModelId(model_id)) as work:
        await work.append(EntryKind.MOVED, actor="kim", reason="", operation_id="running")
        await work.enqueue_sync()

    await local.registry.sweep_outbox()
    assert [row["attempts"] for row in await _pending(local, model_id)] == [0]
    assert (await local.registry.outbox_status()).pending >= 1


async def test_a_late_request_of_a_cancelled_promotion_is_corrected(
    new_settings: Settings, model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop of a promotion ends while its request for the alias is on its way; a newer version
    is promoted and shown; then the request arrives. The sweeper, which looks again, corrects it."""
    from mlflow import MlflowClient

    by_hand = MlflowClient(new_settings.tracking_uri, new_settings.tracking_uri)
    original = DatabaseRegistry.set_registered_model_alias
    reached, go_on, arrived = threading.Event(), threading.Event(), threading.Event()

    def slow(self: DatabaseRegistry, name: str, alias: str, version: int) -> None:
        if version == 2 and not reached.is_set():
            reached.set()
            go_on.wait(60)
            original(self, name, alias, version)
            arrived.set()
        else:
            original(self, name, alias, version)

    async with open_registry(new_settings) as second:
        logged = await second.log_model("acme", "origin", trained(), created_by="kim")
        world = RegistryFixture(second, "acme", (logged.model_uri,))
        assert await _judged_candidate(world, model_id) == 2
        await world.staged(model_id)
        monkeypatch.setattr(DatabaseRegistry, "set_registered_model_alias", slow)
        first = asyncio.create_task(asyncio.to_thread(_cancelled_promotion, new_settings, model_id))
        await asyncio.to_thread(reached.wait, 30)
        left = await asyncio.wait_for(first, 30)
        await world.judged(model_id, 3)
        await world.move(model_id, 3, "production")
        between = _alias(by_hand, world, model_id)
        go_on.set()
        await asyncio.to_thread(arrived.wait, 30)
        overwritten = _alias(by_hand, world, model_id)
        await _pass_time(second._stores.ledger, model_id, outbox.SETTLING)
        await second.sweep_outbox()

        assert left == "cancelled"
        assert (between, overwritten) == (3, 2)
        assert _alias(by_hand, world, model_id) == 3
        assert await _pending(world, model_id) == []


def _cancelled_promotion(settings: Settings, model_id: str) -> str:
    """Promote version 2 on a loop that ends before MLflow has answered, as a task does that is
    cancelled by its scheduler."""

    async def promote() -> None:
        registry_context = open_registry(settings.with_values(call_timeout=30.0))
        registry: ModelRegistry = await registry_context.__aenter__()
        promotion = asyncio.create_task(
            registry.transition_stage("acme", model_id, 2, "production", actor="kim")
        )
        await asyncio.sleep(1.5)
        promotion.cancel()
        await asyncio.gather(promotion, return_exceptions=True)
        # The loop ends here, and with it every task: asyncio.run cancels what still runs.

    with suppress(asyncio.CancelledError):
        asyncio.run(promote())
    return "cancelled"


async def test_the_row_waits_while_mlflow_is_unavailable(
    new_settings: Settings, model_id: str
) -> None:
    """A sweep without MLflow loses nothing; once MLflow answers, it shows the change."""
    from mlflow import MlflowClient

    by_hand = MlflowClient(new_settings.tracking_uri, new_settings.tracking_uri)
    away = new_settings.with_values(tracking_uri=f"http://127.0.0.1:{free_port()}")
    async with open_registry(new_settings) as registry, open_registry(away) as cut_off:
        logged = await registry.log_model("acme", "origin", trained(), created_by="kim")
        world = RegistryFixture(registry, "acme", (logged.model_uri,))
        await world.promoted(model_id)
        ledger = registry._stores.ledger
        await ledger.requeue_sync(TenantId("acme"), ModelId(model_id), [1], "left")
        by_hand.delete_registered_model_alias(f"acme.{model_id}", "production")
        without_mlflow = await cut_off.sweep_outbox()
        attempts = [row["attempts"] for row in await _pending(world, model_id)]
        await _pass_time(ledger, model_id, outbox.SETTLING)
        with_mlflow = await registry.sweep_outbox()

        assert (without_mlflow, with_mlflow, attempts) == (0, 1, [1])
        assert _alias(by_hand, world, model_id) == 1
        assert (await registry.outbox_status()).document() == {"pending": 0, "oldest_seconds": 0.0}
