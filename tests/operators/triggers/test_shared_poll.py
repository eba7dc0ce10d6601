from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from support.task_fixtures import CallRegistry, Register

if TYPE_CHECKING:
    from airflow.triggers.base import TriggerEvent
    from sqlalchemy.ext.asyncio import AsyncEngine

    from model_lifecycle.operators import ModelStageTrigger
    from model_lifecycle.registry.model_registry import ModelRegistry


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Queries to the ledger's database by the registries that are opened: the first words of each
    query, counted."""
    from sqlalchemy import event

    from model_lifecycle.registry.ledger import ledger
    from model_lifecycle.registry.ledger.engine import open_engine

    counted: Counter[str] = Counter()

    def listened(url: str) -> AsyncEngine:
        engine = open_engine(url)
        event.listen(
            engine.sync_engine,
            "before_cursor_execute",
            lambda _c, _k, statement, *_: counted.update([statement.split(".")[0]]),
        )
        return engine

    monkeypatch.setattr(ledger, "open_engine", listened)
    return counted


def _trigger(
    tenant: str,
    model_id: str = "heart",
    stage: str = "production",
    interval: float = 0.2,
    **given: Any,
) -> ModelStageTrigger:
    from model_lifecycle.operators import ModelStageTrigger

    return ModelStageTrigger(
        tenant_id=tenant,
        model_id=model_id,
        version=None,
        stage=stage,
        model_registry_conn_id="model_registry_default",
        poll_interval=interval,
        **given,
    )


async def _first(trigger: ModelStageTrigger) -> TriggerEvent:
    events = trigger.run()
    assert isinstance(events, AsyncGenerator)
    async with aclosing(events):
        return await anext(events)


async def test_a_thousand_who_wait_are_one_query_a_poll(
    statements: Counter[str], ask: CallRegistry, tenant: str
) -> None:
    """The number of queries depends on time, not on how many wait."""
    waits = [
        asyncio.create_task(_first(_trigger(tenant, f"model-{number}"))) for number in range(1000)
    ]
    from model_lifecycle.operators.triggers.shared_poll import shared_poll

    poll = shared_poll("model_registry_default", 0.2)
    async with aclosing(poll.versions(tenant, "model-0")) as changes:
        await asyncio.wait_for(anext(changes), 60)
    # Two polls more: triggers that joined between the first look's two queries are read again.
    await asyncio.sleep(0.5)
    statements.clear()
    began = time.monotonic()
    await asyncio.sleep(2)
    polls = (time.monotonic() - began) / 0.2
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)

    assert 1 <= statements["SELECT models"] <= polls + 1
    assert statements["SELECT versions"] == 0


async def test_each_gets_its_own_answer(register: Register, ask: CallRegistry, tenant: str) -> None:
    """Of two triggers that share a poll, each gets its own model's event; one goes on waiting."""
    waits = [
        asyncio.create_task(_first(_trigger(tenant, name, "development")))
        for name in ("heart", "lung")
    ]
    await asyncio.to_thread(register)
    done, waiting = await asyncio.wait(waits, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    for wait in waiting:
        wait.cancel()

    assert [item.result().payload for item in done] == [
        {"status": "success", "version": 1, "stage": "development"}
    ]
    assert len(waiting) == 1


async def test_who_comes_later_is_told_as_well(
    register: Register, ask: CallRegistry, tenant: str
) -> None:
    """A model that is already waited for is read again for each trigger that joins."""
    await asyncio.to_thread(register)
    early = asyncio.create_task(_first(_trigger(tenant, stage="archived")))
    await asyncio.sleep(0.5)
    late = await asyncio.wait_for(_first(_trigger(tenant, stage="development")), 10)
    early.cancel()

    assert late.payload["version"] == 1


async def test_waiting_does_not_block_the_loop(
    register: Register, ask: CallRegistry, tenant: str
) -> None:
    """While the registry is opened and asked, other triggers of the process run on."""
    await asyncio.to_thread(register)
    waits = [
        asyncio.create_task(_first(_trigger(tenant, f"model-{n}", interval=0.05)))
        for n in range(200)
    ]
    await asyncio.sleep(0.5)
    worst = 0.0
    for _ in range(100):
        before = time.monotonic()
        await asyncio.sleep(0.01)
        worst = max(worst, time.monotonic() - before - 0.01)
    for wait in waits:
        wait.cancel()

    assert worst < 0.2, f"the loop stood still for {worst:.2f} s"


async def test_a_store_that_is_away_is_asked_again(
    ask: CallRegistry, tenant: str, register: Register
) -> None:
    """An outage of the ledger ends no wait; the answer comes when the ledger is back."""
    from model_lifecycle.operators.triggers.shared_poll import SharedPoll, registry_of
    from model_lifecycle.registry.domain.errors import BackendUnavailable

    await asyncio.to_thread(register)
    tries = []

    @asynccontextmanager
    async def opening() -> AsyncIterator[ModelRegistry]:
        tries.append(1)
        if len(tries) < 3:
            raise BackendUnavailable("ledger", "no connection")
        async with registry_of("model_registry_default") as registry:
            yield registry

    async with aclosing(SharedPoll(opening, 0.01).versions(tenant, "heart")) as changes:
        versions = await asyncio.wait_for(anext(changes), 10)

    assert ([item.version for item in versions], len(tries)) == ([1], 3)


async def test_a_connection_that_cannot_be_read_ends_every_wait(
    ask: CallRegistry, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that waiting cannot mend ends every wait, with its code."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_MODEL_REGISTRY_DEFAULT",
        '{"conn_type": "model_registry", "extra": {"databse_url": "x"}}',
    )
    waits = [_first(_trigger(tenant, f"model-{number}")) for number in range(3)]
    events = await asyncio.wait_for(asyncio.gather(*waits), 10)

    assert [item.payload["code"] for item in events] == ["invalid_input"] * 3


async def test_nobody_waits_nobody_asks(
    statements: Counter[str], ask: CallRegistry, tenant: str
) -> None:
    """The poll ends with the last who waits, and begins again with the next."""
    for _ in range(2):
        wait = asyncio.create_task(_first(_trigger(tenant, interval=0.05)))
        await asyncio.sleep(1)
        wait.cancel()
        await asyncio.gather(wait, return_exceptions=True)
        queries = statements["SELECT models"]
        await asyncio.sleep(0.3)

        assert queries > 0
        assert statements["SELECT models"] == queries
        statements.clear()
