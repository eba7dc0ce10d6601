from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from support.task_fixtures import CallRegistry, Fitted, Register

from model_lifecycle.registry.domain.authorization import Principal, Role


class AssetStateStore:
    """The state that a watcher keeps in Airflow about its asset, as plain JSON."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return self.stored.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        self.stored[key] = json.loads(json.dumps(value))


class Triggerer:
    """Runs watchers over Airflow's own shared streams, as its triggerer does; keeps what fired."""

    def __init__(self) -> None:
        import structlog
        from airflow.triggers.shared_stream import SharedStreamManager

        self.streams = SharedStreamManager(log=structlog.get_logger())
        self.fired: list[dict[str, Any]] = []
        self.stores_events = True
        self.runs: list[asyncio.Task[None]] = []

    def start(self, trigger: Any) -> None:
        self.runs.append(asyncio.create_task(self._run(len(self.runs), trigger)))

    async def _run(self, number: int, trigger: Any) -> None:
        key = trigger.shared_stream_key()
        stream = self.streams.subscribe(trigger_id=number, trigger=trigger, key=key)
        try:
            async for event in trigger.filter_shared_stream(stream):
                seq = self.streams.bind_pending_event(trigger_id=number, key=key)
                assert seq is not None
                self.fired.append(event.payload)
                if self.stores_events:
                    self.streams.confirm_persisted([seq])
        finally:
            await self.streams.unsubscribe(number, key)

    async def hears(self, count: int) -> list[tuple[str, int]]:
        for _ in range(200):
            if len(self.fired) >= count:
                break
            await asyncio.sleep(0.05)
        # Long enough for one more poll, which must not tell anything again.
        await asyncio.sleep(0.3)
        return [(item["model_id"], item["version"]) for item in self.fired]


@pytest.fixture
def triggerer() -> Callable[[], AbstractAsyncContextManager[Triggerer]]:
    @asynccontextmanager
    async def running() -> AsyncIterator[Triggerer]:
        made = Triggerer()
        try:
            yield made
        finally:
            for run in made.runs:
                run.cancel()
            await asyncio.gather(*made.runs, return_exceptions=True)
            await made.streams.stop_all()

    return running


def _watcher(tenant: str, store: AssetStateStore, model_id: str = "heart") -> Any:
    from model_lifecycle.operators import external_registration_asset

    (watcher,) = external_registration_asset(tenant, model_id, poll_interval=0.1).watchers
    trigger: Any = watcher.trigger
    trigger.asset_state_store = store
    return trigger


@pytest.fixture
def elsewhere(register: Register) -> Callable[[], Awaitable[int]]:
    """Register the next version as somebody outside Airflow does, off the event loop."""
    return lambda: asyncio.to_thread(register)


async def test_version_from_elsewhere_starts_the_dags_that_wait(
    elsewhere: Callable[[], Awaitable[int]],
    ask: CallRegistry,
    tenant: str,
    triggerer: Callable[[], AbstractAsyncContextManager[Triggerer]],
) -> None:
    """Versions of the first look are not news; each later version is reported once."""
    await elsewhere()
    store = AssetStateStore()
    async with triggerer() as running:
        running.start(_watcher(tenant, store))
        await asyncio.sleep(1.5)
        await elsewhere()
        await elsewhere()

        assert await running.hears(2) == [("heart", 2), ("heart", 3)]
    assert running.fired[0] | {"at": None} == {
        "tenant_id": tenant,
        "model_id": "heart",
        "version": 2,
        "actor": "x",
        "at": None,
        "sequence": 2,
    }


async def test_restart_neither_repeats_nor_misses(
    elsewhere: Callable[[], Awaitable[int]],
    ask: CallRegistry,
    tenant: str,
    triggerer: Callable[[], AbstractAsyncContextManager[Triggerer]],
) -> None:
    """Reported versions are not reported again; those of a pause are reported after it."""
    store = AssetStateStore()
    async with triggerer() as running:
        running.start(_watcher(tenant, store))
        await asyncio.sleep(1)
        await elsewhere()
        first = await running.hears(1)
    await elsewhere()
    async with triggerer() as running:
        running.start(_watcher(tenant, store))
        second = await running.hears(1)

    assert (first, second) == ([("heart", 1)], [("heart", 2)])


async def test_event_that_was_not_stored_is_told_again(
    elsewhere: Callable[[], Awaitable[int]],
    ask: CallRegistry,
    tenant: str,
    triggerer: Callable[[], AbstractAsyncContextManager[Triggerer]],
) -> None:
    """A triggerer that dies before Airflow has stored its event has lost nothing."""
    store = AssetStateStore()
    async with triggerer() as running:
        running.start(_watcher(tenant, store))
        await asyncio.sleep(1)
        running.stores_events = False
        await elsewhere()
        first = await running.hears(1)
    async with triggerer() as running:
        running.start(_watcher(tenant, store))
        second = await running.hears(1)

    assert first == second == [("heart", 1)]


async def test_watchers_share_one_poll(
    elsewhere: Callable[[], Awaitable[int]],
    ask: CallRegistry,
    tenant: str,
    triggerer: Callable[[], AbstractAsyncContextManager[Triggerer]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many models are watched with one query a poll, and each hears of its own only."""
    from model_lifecycle.registry.model_registry import ModelRegistry

    queries = []
    epochs = ModelRegistry.epochs

    async def counted(
        self: ModelRegistry, models: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], int]:
        queries.append(len(models))
        return await epochs(self, models)

    monkeypatch.setattr(ModelRegistry, "epochs", counted)
    async with triggerer() as running:
        for number in range(20):
            running.start(_watcher(tenant, AssetStateStore(), f"model-{number}"))
        running.start(_watcher(tenant, AssetStateStore()))
        await asyncio.sleep(1)
        before = len(queries)
        await elsewhere()
        fired = await running.hears(1)
        await asyncio.sleep(1)

    assert fired == [("heart", 1)]
    assert queries[-1] == 21
    assert len(queries) - before < 60


async def test_airflow_s_own_versions_are_not_news(
    ask: CallRegistry,
    tenant: str,
    fitted: Fitted,
    triggerer: Callable[[], AbstractAsyncContextManager[Triggerer]],
) -> None:
    """A version that a task registers has an asset of its own."""
    classifier, example = fitted

    def register(actor: Principal) -> None:
        ask(
            lambda registry: registry.register_model(
                tenant, "heart", classifier, "sklearn", {}, {},
                input_example=example, created_by=actor,
            )
        )  # fmt: skip

    roles = frozenset(Role)
    async with triggerer() as running:
        running.start(_watcher(tenant, AssetStateStore()))
        await asyncio.sleep(1)
        await asyncio.to_thread(register, Principal("airflow:d/r", roles, on_behalf_of="kim"))
        await asyncio.to_thread(register, Principal("airflow-user:kim", roles))

        assert await running.hears(1) == [("heart", 2)]


async def test_without_shared_streams_it_tells_the_same(
    elsewhere: Callable[[], Awaitable[int]], ask: CallRegistry, tenant: str
) -> None:
    """The trigger by itself polls by itself."""
    store = AssetStateStore()
    store.stored["sequence"] = 0
    await elsewhere()
    events = _watcher(tenant, store).run()
    event = await asyncio.wait_for(anext(events), 10)
    await events.aclose()

    assert event.payload["version"] == 1


def test_asset_and_watcher_survive_serialisation(airflow_database: None) -> None:
    """The scheduler's copy of a DAG that waits for it has the trigger, with the same arguments."""
    from airflow.sdk import DAG
    from airflow.sdk._shared.module_loading import import_string
    from airflow.serialization.serialized_objects import DagSerialization

    from model_lifecycle.operators import external_registration_asset

    asset = external_registration_asset("acme", "churn")
    with DAG(dag_id="d", schedule=[asset]) as dag:
        pass
    DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    path, kwargs = asset.watchers[0].trigger.serialize()

    assert import_string(path)(**json.loads(json.dumps(kwargs))).serialize() == (path, kwargs)
    assert asset.uri == "x-model-lifecycle://acme/churn/registered-elsewhere"
