"""MLflow away: reads go on from the ledger, writes are refused in seconds and can be repeated."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from support.registry_fixture import RegistryFixture, new_name, trained
from support.servers.canned import black_hole, canned_server
from support.servers.postgres import free_port

from model_lifecycle.registry.domain.errors import BackendUnavailable, InvalidInput
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.domain.stages import Gate
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.settings import Settings

#: Seconds, as promised; MLflow's own client takes about four minutes.
ANSWER_SECONDS = 5.0


@pytest.fixture(params=["refuses", "never answers", "answers 503", "answers HTML"])
def broken_uri(request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of an MLflow server that is unavailable, in one way after the other."""
    match request.param:
        case "refuses":
            yield f"http://127.0.0.1:{free_port()}"
        case "never answers":
            with black_hole() as url:
                yield url
        case "answers 503":
            with canned_server(503, b"busy", content_type="text/plain") as canned:
                yield canned.url
        case "answers HTML":
            with canned_server(200, b"<html>log in</html>", content_type="text/html") as canned:
                yield canned.url


@pytest_asyncio.fixture(loop_scope="session")
async def cut_off(
    broken_uri: str, embedded_settings: Settings, local: RegistryFixture
) -> AsyncIterator[RegistryFixture]:
    """The embedded registry once more, its MLflow away."""
    settings = embedded_settings.with_values(tracking_uri=broken_uri)
    async with open_registry(settings) as registry:
        yield RegistryFixture(registry, local.tenant, local.sources)


Call = Callable[[ModelRegistry, str, str], Awaitable[Any]]

WRITES: dict[str, Call] = {
    "promote": lambda r, t, m: r.transition_stage(t, m, 3, "production", actor="kim"),
    "roll back": lambda r, t, m: r.rollback(t, m, actor="kim", reason="why"),
    "delete": lambda r, t, m: r.delete_model(t, m, 3, actor="kim", reason="why"),
    "register a source": lambda r, t, m: r.register_model(
        t, m, "models:/m-" + "0" * 32, None, None, None, created_by="kim"
    ),
    "register an object": lambda r, t, m: r.register_model(
        t, m, trained().model, "sklearn", {}, {}, created_by="kim"
    ),
    "log": lambda r, t, m: r.log_model(t, m, trained(), created_by="kim"),
    "log metrics": lambda r, t, m: r.log_training_metrics(t, "0" * 32, 1, {"a": 1.0}),
    "compare runs": lambda r, t, m: r.compare_runs(t, ["0" * 32], ["a"]),
    "list experiments": lambda r, t, m: r.list_experiments(t),
    "reconcile": lambda r, t, m: r.reconcile(t),
    "ping": lambda r, t, m: r.ping(),
}


async def _live(world: RegistryFixture) -> str:
    """A model with a version in production, one before it and one that could follow it."""
    model_id = new_name()
    await world.promoted(model_id)
    await world.promoted(model_id)
    await world.staged(model_id)
    await world.judged(model_id, 3)
    return model_id


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(local: RegistryFixture) -> str:
    return await _live(local)


async def test_what_needs_mlflow_is_refused_in_time(
    cut_off: RegistryFixture, local: RegistryFixture, live: str
) -> None:
    """Each call within five seconds, as unavailable and worth repeating; nothing is changed."""
    before = await local.snapshot(live)
    took: dict[str, float] = {}

    async def refused(name: str) -> None:
        started = time.perf_counter()
        with pytest.raises(BackendUnavailable) as caught:
            await WRITES[name](cut_off.registry, cut_off.tenant, live)
        took[name] = time.perf_counter() - started
        assert (caught.value.backend, caught.value.retryable) == ("MLflow", True), name
        assert "127.0.0.1" not in str(caught.value), name

    # All at once, in groups as large as the registry's own limit of calls at a time.
    for group in (list(WRITES)[:6], list(WRITES)[6:]):
        await asyncio.gather(*(refused(name) for name in group))

    assert set(took) == set(WRITES)
    assert {name: seconds for name, seconds in took.items() if seconds > ANSWER_SECONDS} == {}
    assert await local.snapshot(live) == before


@pytest.mark.parametrize("broken_uri", ["refuses"], indirect=True)
async def test_reads_go_on(cut_off: RegistryFixture, local: RegistryFixture, live: str) -> None:
    """Models, versions, history, production, policies, readiness, evidence and the model itself
    come from the ledger and the artifact store."""
    registry, tenant = cut_off.registry, cut_off.tenant

    assert await cut_off.snapshot(live) == await local.snapshot(live)
    assert live in [item.name for item in await registry.list_models(tenant, limit=1000)]
    assert await registry.production_at(tenant, live, datetime.now(UTC)) == 2
    assert await registry.verify_ledger(tenant, live) == len(await local.history(live))
    assert await registry.get_policy(tenant, live) == PromotionPolicy()
    assert (await registry.readiness(tenant, live, 3, "production")).ready
    predictor = await registry.load_model(tenant, live, stage="production")
    assert len(predictor.predict(trained().input_example)) == 3


@pytest.mark.parametrize("broken_uri", ["refuses"], indirect=True)
async def test_what_needs_no_mlflow_goes_on_too(
    cut_off: RegistryFixture, local: RegistryFixture
) -> None:
    """Gates record evidence and people set policies while MLflow is unavailable."""
    model_id = new_name()
    await local.version(model_id)
    await cut_off.judged(model_id, 1, Gate.VALIDATION)
    policy = PromotionPolicy(evidence_max_age_days=7)
    await cut_off.registry.set_policy(cut_off.tenant, model_id, policy, actor="kim")

    assert len(await local.registry.list_evidence(local.tenant, model_id, 1)) == 1
    assert await local.registry.get_policy(local.tenant, model_id) == policy


@pytest.mark.parametrize("broken_uri", ["refuses"], indirect=True)
async def test_a_refused_write_can_be_repeated(
    cut_off: RegistryFixture, local: RegistryFixture
) -> None:
    """The same call with the same id goes through once MLflow is back."""
    model_id = await _live(local)
    used: dict[str, Any] = {"actor": "kim", "operation_id": f"{model_id}/promote"}
    arguments = (local.tenant, model_id, 3, "production")
    with pytest.raises(BackendUnavailable):
        await cut_off.registry.transition_stage(*arguments, **used)
    answer = await local.registry.transition_stage(*arguments, **used)

    assert answer.production_version == 3
    assert await cut_off.registry.transition_stage(*arguments, **used) == answer


@pytest.mark.parametrize("broken_uri", ["refuses"], indirect=True)
async def test_bad_input_is_told_before_mlflow_is_asked(
    cut_off: RegistryFixture, live: str
) -> None:
    """Bad input gives its own error, not that of an outage."""
    with pytest.raises(InvalidInput):
        await cut_off.move(live, 3, "nowhere")
    with pytest.raises(InvalidInput):
        await cut_off.roll_back(live, reason="")
    with pytest.raises(InvalidInput):
        await cut_off.registry.register_model(
            cut_off.tenant, live, "s3://elsewhere", None, None, None, created_by="kim"
        )


async def test_a_ledger_that_is_away_is_told(new_settings: Settings) -> None:
    """Opening the registry says so in seconds, without the address or its password."""
    url = f"postgresql://kim:s3cret@127.0.0.1:{free_port()}/ledger"
    started = time.perf_counter()
    with pytest.raises(BackendUnavailable) as caught:
        async with open_registry(new_settings.with_values(database_url=url)):
            pass

    assert time.perf_counter() - started < 2 * ANSWER_SECONDS
    assert caught.value.backend == "ledger"
    assert "s3cret" not in str(caught.value)


async def test_an_artifact_store_that_is_away_is_told(
    local: RegistryFixture, embedded_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback cannot verify its target then, and changes nothing."""
    model_id = new_name()
    await local.promoted(model_id)
    await local.promoted(model_id)
    before = await local.snapshot(model_id)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")
    ledger = embedded_settings.home / f"{model_id}.db"
    with (
        closing(sqlite3.connect(embedded_settings.home / "ledger.db")) as source,
        closing(sqlite3.connect(ledger)) as copy,
    ):
        source.backup(copy)
        copy.execute("UPDATE registry_identity SET artifact_root = 's3://nowhere'")
        copy.commit()
    settings = embedded_settings.with_values(
        database_url=f"sqlite:///{ledger}",
        artifact_root="s3://nowhere",
        s3_endpoint_url=f"http://127.0.0.1:{free_port()}",
    )
    async with open_registry(settings) as registry:
        with pytest.raises(BackendUnavailable) as caught:
            await registry.rollback(local.tenant, model_id, actor="kim", reason="why")

    assert caught.value.backend == "artifact store"
    assert await local.snapshot(model_id) == before
