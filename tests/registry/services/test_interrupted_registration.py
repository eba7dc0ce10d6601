"""Operations that stop half way, at every call to a store: repeated, or healed, they end well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from support.faults import Fault, faulty
from support.registry_fixture import RegistryFixture, new_name, trained

from model_lifecycle.registry.domain.errors import BackendUnavailable, RegistryError
from model_lifecycle.registry.model_registry import ModelRegistry

Operation = Callable[[ModelRegistry], Awaitable[Any]]


async def _interrupted(world: RegistryFixture, operation: Operation, at: int) -> Fault:
    """Run the operation over stores that fail at the point ``at``; it passes if it got by."""
    fault = Fault(at)
    try:
        await operation(faulty(world.registry, fault))
    except BackendUnavailable:
        assert fault.place, "nothing else was away"
    return fault


async def _points(world: RegistryFixture, operation: Operation) -> int:
    """How many points an undisturbed operation goes by."""
    fault = Fault(at=0)
    await operation(faulty(world.registry, fault))
    return fault.count


async def _is_whole(world: RegistryFixture, by_hand: Any, model_id: str) -> None:
    """Ledger and MLflow agree, the chain holds, and nothing is left to be healed."""
    model = await world.registry.get_model(world.tenant, model_id)
    history = await world.history(model_id)
    name = f"{world.tenant}.{model_id}"
    projected = by_hand.get_registered_model(name)
    in_mlflow = {
        int(item.version): item.tags["lifecycle.stage"]
        for item in by_hand.search_model_versions(f"name = '{name}'")
    }
    stages = await world.stages(model_id) if model is not None else {}
    aliases = {alias: int(version) for alias, version in projected.aliases.items()}

    assert in_mlflow == stages
    assert list(stages.values()).count("production") <= 1
    assert list(aliases.values()) == [
        version for version, stage in stages.items() if stage == "production"
    ]
    assert await world.registry.verify_ledger(world.tenant, model_id) == len(history)
    assert [item.document() for item in await world.registry.reconcile(world.tenant)] == []


@pytest_asyncio.fixture(loop_scope="session")
async def by_local_hand(local: RegistryFixture, mlflow_imported: None) -> Any:
    from mlflow import MlflowClient

    uri = local.registry.settings.tracking_uri
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@pytest_asyncio.fixture(loop_scope="session")
async def alone(local: RegistryFixture) -> RegistryFixture:
    """A tenant with one logged model, in the embedded registry."""
    tenant = new_name("alone")
    logged = await local.registry.log_model(tenant, "origin", trained(), created_by="kim")
    return RegistryFixture(local.registry, tenant, (logged.model_uri,))


def _registration(world: RegistryFixture, model_id: str, kind: str) -> Operation:
    trained_model = trained()

    async def register(registry: ModelRegistry) -> Any:
        return await registry.register_model(
            world.tenant,
            model_id,
            trained_model.model if kind == "object" else world.sources[0],
            "sklearn",
            trained_model.metrics,
            trained_model.parameters,
            input_example=trained_model.input_example,
            training_log="epoch 1\n",
            created_by="kim",
            operation_id=f"{model_id}/register",
        )

    return register


def _sample(points: int, count: int) -> list[tuple[int, str]]:
    """``wanted`` points spread over all of them, each with a way to go on afterwards: the call is
    repeated, or reconcile runs before it is. Another sample each day would be no test."""
    step = max(1, points / count)
    chosen = sorted({min(points, 1 + int(number * step)) for number in range(count)})
    return [(at, ("repeat", "reconcile")[number % 2]) for number, at in enumerate(chosen)]


QUICK_OR_ALL = pytest.mark.parametrize(
    "count",
    [
        pytest.param(6, id="some"),
        pytest.param(1000, id="all", marks=[pytest.mark.stress, pytest.mark.timeout(1800)]),
    ],
)


@QUICK_OR_ALL
@pytest.mark.parametrize("kind", ["object", "source"])
async def test_an_interrupted_registration_ends_with_one_version(
    alone: RegistryFixture, by_local_hand: Any, kind: str, count: int
) -> None:
    """Wherever it stopped, the same call again gives one version, and one entry; where reconcile
    came first, it found one version or none."""
    points = await _points(alone, _registration(alone, new_name(), kind))
    for at, heal in _sample(points, count):
        model_id = new_name()
        operation = _registration(alone, model_id, kind)
        fault = await _interrupted(alone, operation, at)
        if heal == "reconcile":
            findings = await alone.registry.reconcile(alone.tenant)
            assert [item for item in findings if not item.healed] == [], fault.place
            model = await alone.registry.get_model(alone.tenant, model_id)
            assert model is None or model.versions == (1,), fault.place
        answer = await operation(alone.registry)

        assert answer.versions == (1,), fault.place
        assert len(await alone.history(model_id)) == 1, fault.place
        await alone.registry.load_model(alone.tenant, model_id, 1)
    await _is_whole(alone, by_local_hand, model_id)


async def _first(world: RegistryFixture, model_id: str) -> None:
    await world.staged(model_id)
    await world.judged(model_id, 1)


async def _second(world: RegistryFixture, model_id: str) -> None:
    await world.promoted(model_id)
    await world.staged(model_id)
    await world.judged(model_id, 2)


async def _third(world: RegistryFixture, model_id: str) -> None:
    await world.promoted(model_id)
    await world.promoted(model_id)


async def _deletable(world: RegistryFixture, model_id: str) -> None:
    await world.promoted(model_id)
    await world.version(model_id)


LIVES: dict[str, tuple[Callable[[RegistryFixture, str], Awaitable[None]], Any, dict[int, str]]] = {
    "first promotion": (
        _first,
        lambda r, t, m, op: r.transition_stage(
            t, m, 1, "production", actor="kim", expected_production=None, operation_id=op
        ),
        {1: "production"},
    ),
    "promotion": (
        _second,
        lambda r, t, m, op: r.transition_stage(
            t, m, 2, "production", actor="kim", expected_production=1, operation_id=op
        ),
        {1: "archived", 2: "production"},
    ),
    "rollback": (
        _third,
        lambda r, t, m, op: r.rollback(t, m, actor="kim", reason="why", operation_id=op),
        {1: "production", 2: "development"},
    ),
    "retirement": (
        _third,
        lambda r, t, m, op: r.transition_stage(
            t, m, 2, "archived", actor="kim", reason="why", operation_id=op
        ),
        {1: "archived", 2: "archived"},
    ),
    "deletion": (
        _deletable,
        lambda r, t, m, op: r.delete_model(t, m, 2, actor="kim", reason="why", operation_id=op),
        {1: "production"},
    ),
}


@QUICK_OR_ALL
@pytest.mark.parametrize("life", LIVES)
async def test_an_interrupted_change_happened_or_did_not(
    alone: RegistryFixture, by_local_hand: Any, life: str, count: int
) -> None:
    """Wherever it stopped, readers see one state or the other, never a third; the same call again
    gives the change exactly once, and reconcile makes MLflow follow."""
    prepare, call, expected = LIVES[life]

    def operation(model_id: str) -> Operation:
        return lambda registry: call(registry, alone.tenant, model_id, f"{model_id}/change")

    model_id = new_name()
    await prepare(alone, model_id)
    points = await _points(alone, operation(model_id))
    for at, heal in _sample(points, count):
        model_id = new_name()
        await prepare(alone, model_id)
        before = await alone.stages(model_id)
        entries = len(await alone.history(model_id))
        fault = await _interrupted(alone, operation(model_id), at)
        stages = await alone.stages(model_id)
        assert stages in (before, expected), fault.place
        assert len(await alone.history(model_id)) == entries + (stages == expected), fault.place
        if heal == "reconcile":
            await alone.registry.reconcile(alone.tenant)
            assert await alone.stages(model_id) == stages, fault.place
        await operation(model_id)(alone.registry)

        assert await alone.stages(model_id) == expected, fault.place
        assert len(await alone.history(model_id)) == entries + 1, fault.place
    await _is_whole(alone, by_local_hand, model_id)


async def test_a_reader_is_never_shown_half_a_version(alone: RegistryFixture) -> None:
    """A registration that stopped anywhere before its entry is not there for readers."""
    points = await _points(alone, _registration(alone, new_name(), "source"))
    for at, _ in _sample(points, 8):
        model_id = new_name()
        await _interrupted(alone, _registration(alone, model_id, "source"), at)
        model = await alone.registry.get_model(alone.tenant, model_id)
        if model is not None:
            await alone.registry.load_model(alone.tenant, model_id, model.current_version)
        else:
            with pytest.raises(RegistryError):
                await alone.registry.load_model(alone.tenant, model_id)
