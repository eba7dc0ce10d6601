"""Reads: by tenant, by stage and framework, page by page, and as of any instant."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from stress.scale.population import model, populate, tenant
from support.registry_fixture import RegistryFixture, trained

from model_lifecycle.registry.domain.errors import InvalidInput, InvalidName, ModelNotFound
from model_lifecycle.registry.domain.models import EntryKind
from model_lifecycle.registry.domain.stages import Stage
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.ledger.migrate import upgrade
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.settings import Settings


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shelf(registry: ModelRegistry) -> RegistryFixture:
    """A tenant with five models: two in production, one in staging, one in development, one
    archived; names in the order of their bytes, upper case first."""
    tenant = f"shelf-{uuid.uuid4().hex[:8]}"
    logged = await registry.log_model(tenant, "B", trained(), created_by="kim")
    world = RegistryFixture(registry, tenant, (logged.model_uri,))
    await world.promoted("a.model")
    await world.version("a.model")
    await world.promoted("B")
    await world.staged("a-model")
    await world.version("a-model")
    await world.version("c")
    await world.promoted("d_1")
    await world.move("d_1", 1, "archived", reason="out of season")
    return world


async def _names(world: RegistryFixture, *arguments: Any, **options: Any) -> list[str]:
    models = await world.registry.list_models(world.tenant, *arguments, **options)
    return [item.model_id for item in models]


async def test_models_are_listed_by_name(shelf: RegistryFixture) -> None:
    """In one order on every database: that of the names' bytes."""
    assert await _names(shelf) == ["B", "a-model", "a.model", "c", "d_1"]


@pytest.mark.parametrize(
    ("stage", "names"),
    [
        ("production", ["B", "a.model"]),
        (Stage.STAGING, ["a-model"]),
        ("development", ["c"]),
        ("archived", ["d_1"]),
    ],
)
async def test_models_are_filtered_by_their_current_stage(
    shelf: RegistryFixture, stage: Stage | str, names: list[str]
) -> None:
    """The production version counts, else the newest in staging, else the newest."""
    assert await _names(shelf, stage) == names


async def test_models_are_filtered_by_framework(shelf: RegistryFixture) -> None:
    """Together with the stage or alone."""
    assert len(await _names(shelf, None, "sklearn")) == 5
    assert await _names(shelf, None, "onnx") == []
    assert await _names(shelf, "staging", "sklearn") == ["a-model"]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 1000])
async def test_pages_follow_each_other(shelf: RegistryFixture, limit: int) -> None:
    """Each page begins after the last name of the one before; nothing is repeated or lost."""
    pages: list[str] = []
    while page := await _names(shelf, limit=limit, after=pages[-1] if pages else None):
        assert len(page) <= limit
        pages += page

    assert pages == ["B", "a-model", "a.model", "c", "d_1"]


@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
async def test_a_list_without_limit_is_complete(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """However many models there are, none is left out without a word."""
    settings = Settings({}, home=tmp_path)
    if database == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = server.url("asyncpg", server.create_database())
        settings = Settings({}, home=tmp_path, database_url=url)
    await upgrade(settings.database_url)
    async with open_registry(settings) as registry:
        root = registry.artifacts.uri("root").removesuffix("/root")
        await populate(registry._stores.ledger._engine, root, tenants=2, models_each=1001)
        listed = await registry.list_models(tenant(0))
        page = await registry.list_models(tenant(0), limit=1001, after=model(0))
        everywhere = await registry.recorded_models()

    assert [item.model_id for item in listed] == [model(number) for number in range(1001)]
    assert page == listed[1:]
    assert everywhere == [(tenant(a), model(b)) for a in range(2) for b in range(1001)]


async def test_recorded_models_are_those_that_can_be_verified(
    local: RegistryFixture, model_id: str
) -> None:
    """Also one that was deleted, which no list of models shows."""
    registry, owner = local.registry, local.tenant
    await local.version(model_id)
    await registry.delete_model(owner, model_id, actor="kim", reason="never used")

    assert (owner, model_id) in await registry.recorded_models(owner)
    assert (owner, model_id) in await registry.recorded_models()
    assert await registry.recorded_models("nobody") == []
    assert await registry.verify_ledger(owner, model_id) == 2


async def test_a_page_may_begin_after_a_name_that_is_not_there(shelf: RegistryFixture) -> None:
    """A model that was deleted between two pages does not matter."""
    assert await _names(shelf, after="b") == ["c", "d_1"]


async def test_a_listed_model_is_the_model(shelf: RegistryFixture) -> None:
    """List and single read tell the same."""
    listed = await shelf.registry.list_models(shelf.tenant)

    assert listed == [await shelf.registry.get_model(shelf.tenant, item.name) for item in listed]
    assert [(item.current_version, item.versions) for item in listed][1:3] == [
        (1, (1, 2)),
        (1, (1, 2)),
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"limit": 0},
        {"limit": 2**53 + 1},
        {"limit": -1},
        {"limit": True},
        {"limit": "10"},
        {"limit": 2.0},
        {"after": "../x"},
        {"after": "a\n"},
        {"after": 7},
        {"stage": "deleted"},
        {"stage": "Production"},
        {"framework": "prophet"},
        {"framework": []},
        {"framework": "sklearn' OR 1=1"},
    ],
    ids=str,
)
async def test_odd_pages_are_refused(local: RegistryFixture, options: dict[str, Any]) -> None:
    """No option reaches the database unchecked."""
    with pytest.raises(InvalidInput):
        await local.registry.list_models(local.tenant, **options)


async def test_a_tenant_without_models_has_none(local: RegistryFixture) -> None:
    """Empty answers, not errors, for lists and single reads."""
    registry, nobody = local.registry, f"nobody-{uuid.uuid4().hex[:8]}"

    assert await registry.list_models(nobody) == []
    assert await registry.list_experiments(nobody) == []
    assert await registry.get_model(nobody, "churn") is None
    assert await registry.get_version(nobody, "churn", 1) is None
    assert await registry.reconcile(nobody) == []


async def test_history_is_the_whole_story(world: RegistryFixture, model_id: str) -> None:
    """Oldest first, numbered without gaps, each entry after the one before in time."""
    first = await world.promoted(model_id)
    await world.promoted(model_id, source=1)
    await world.roll_back(model_id)
    await world.move(model_id, first, "archived", reason="out of season")
    third = await world.version(model_id)
    await world.registry.delete_model(
        world.tenant, model_id, third, actor="kim", reason="a mistake"
    )
    entries = await world.history(model_id)

    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry.at for entry in entries] == sorted({entry.at for entry in entries})
    assert [entry.kind for entry in entries] == [
        *(EntryKind.REGISTERED, EntryKind.MOVED, EntryKind.MOVED),
        *(EntryKind.REGISTERED, EntryKind.MOVED, EntryKind.MOVED),
        *(EntryKind.ROLLED_BACK, EntryKind.MOVED),
        *(EntryKind.REGISTERED, EntryKind.DELETED),
    ]
    assert [entry.production for entry in entries] == [
        *(None, None, 1),
        *(1, 1, 2),
        *(1, None),
        *(None, None),
    ]
    assert [entry.previous_production for entry in entries][1:] == [
        entry.production for entry in entries
    ][:-1]


async def test_history_is_read_in_parts(world: RegistryFixture, model_id: str) -> None:
    """After a sequence, and at most so many."""
    await world.promoted(model_id)
    entries = await world.history(model_id)
    registry, tenant = world.registry, world.tenant

    assert await registry.history(tenant, model_id, after=1) == entries[1:]
    assert await registry.history(tenant, model_id, limit=2) == entries[:2]
    assert await registry.history(tenant, model_id, after=1, limit=1) == entries[1:2]
    assert await registry.history(tenant, model_id, after=99) == []


@pytest.mark.parametrize(
    "options",
    [{"after": -1}, {"after": "1"}, {"after": None}, {"limit": 0}, {"limit": -1}, {"limit": "5"}],
    ids=str,
)
async def test_odd_parts_of_a_history_are_refused(
    world: RegistryFixture, model_id: str, options: dict[str, Any]
) -> None:
    """On every database alike."""
    await world.version(model_id)
    with pytest.raises(InvalidInput):
        await world.registry.history(world.tenant, model_id, **options)


async def test_production_is_known_for_any_instant(world: RegistryFixture, model_id: str) -> None:
    """Before the model existed, between two changes, at the very instant, and now."""
    await world.promoted(model_id)
    await world.promoted(model_id, source=1)
    await world.roll_back(model_id)
    await world.move(model_id, 1, "archived", reason="out of season")
    instant = timedelta(microseconds=1)
    entries = await world.history(model_id)

    async def at(when: datetime) -> int | None:
        return await world.registry.production_at(world.tenant, model_id, when)

    assert await at(entries[0].at - instant) is None
    for before, entry in zip([None, *entries], entries, strict=False):
        assert await at(entry.at - instant) == (before.production if before else None)
        assert await at(entry.at) == entry.production
    elsewhere = timezone(timedelta(hours=-9))
    assert await at(entries[5].at.astimezone(elsewhere)) == 2
    assert await at(datetime(2999, 1, 1, tzinfo=UTC)) is None


async def test_versions_come_in_pages(world: RegistryFixture, model_id: str) -> None:
    """A page begins after a number, also one that was deleted, and holds no more than asked."""
    for _ in range(3):
        await world.version(model_id)
    registry, tenant = world.registry, world.tenant
    await registry.delete_model(tenant, model_id, 2, actor="kim", reason="a mistake")

    async def numbers(**options: Any) -> list[int]:
        versions = await registry.list_versions(tenant, model_id, **options)
        return [item.version for item in versions]

    assert await numbers() == [1, 3]
    assert await numbers(limit=1) == [1]
    assert await numbers(after=1) == await numbers(after=2) == [3]
    assert await numbers(after=3) == []


@pytest.mark.parametrize("options", [{"after": -1}, {"after": "1"}, {"limit": 0}])
async def test_odd_pages_of_versions_are_refused(
    local: RegistryFixture, model_id: str, options: dict[str, Any]
) -> None:
    """As those of the history are."""
    await local.version(model_id)
    with pytest.raises(InvalidInput) as caught:
        await local.registry.list_versions(local.tenant, model_id, **options)

    assert caught.value.field in options


@pytest.mark.parametrize("when", [datetime(2026, 1, 1), None, "2026-01-01", 0])  # noqa: DTZ001
async def test_an_instant_has_a_zone(local: RegistryFixture, model_id: str, when: Any) -> None:
    """Without one it is not known when it was."""
    await local.version(model_id)
    with pytest.raises(InvalidInput) as caught:
        await local.registry.production_at(local.tenant, model_id, when)

    assert caught.value.field == "when"


async def test_what_is_not_there_has_no_history(local: RegistryFixture, model_id: str) -> None:
    """History, chain and production of an unknown model are not found."""
    registry, tenant = local.registry, local.tenant
    for call in (
        registry.history(tenant, model_id),
        registry.verify_ledger(tenant, model_id),
        registry.list_versions(tenant, model_id),
        registry.production_at(tenant, model_id, datetime.now(UTC)),
        registry.load_model(tenant, model_id),
    ):
        with pytest.raises(ModelNotFound):
            await call


@pytest.mark.parametrize("name", ["", "a\n", "..", "a\0b", "a" * 300, None, 7, "a/b"])
async def test_odd_names_are_refused_everywhere(local: RegistryFixture, name: Any) -> None:
    """Every read checks tenant and model before it asks anybody."""
    registry, now = local.registry, datetime.now(UTC)
    for call in (
        registry.get_model(name, "a"),
        registry.get_model("a", name),
        registry.list_models(name),
        registry.get_version("a", name, 1),
        registry.list_versions("a", name),
        registry.list_evidence("a", name, 1),
        registry.history("a", name),
        registry.production_at("a", name, now),
        registry.verify_ledger("a", name),
        registry.get_policy("a", name),
        registry.readiness("a", name, 1, "staging"),
        registry.load_model("a", name),
        registry.list_experiments(name),
        registry.find_operation(name, "x"),
        registry.delete_model("a", name, actor="kim", reason="why"),
        registry.rollback("a", name, actor="kim", reason="why"),
        registry.log_training_metrics(name, "0" * 32, 0, {"a": 1}),
        registry.compare_runs(name, ["0" * 32], ["a"]),
        registry.list_runs(name, "1"),
    ):
        with pytest.raises(InvalidName):
            await call
    if name is not None:
        with pytest.raises(InvalidName):
            await registry.reconcile(name)
