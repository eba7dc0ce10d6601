"""Operations as the fault tests call them: on any registry, with a given operation id."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from stress.crash.invariants import broken
from support.registry_fixture import RegistryFixture

from model_lifecycle.registry.model_registry import ModelRegistry

Call = Callable[[ModelRegistry, str | None], Coroutine[Any, Any, Any]]


async def registration(world: RegistryFixture, model: str) -> Call:
    async def call(registry: ModelRegistry, operation_id: str | None) -> Any:
        return await registry.register_model(
            world.tenant,
            model,
            world.sources[0],
            "sklearn",
            None,
            None,
            created_by="kim",
            operation_id=operation_id,
        )

    return call


async def promotion(world: RegistryFixture, model: str) -> Call:
    await world.promoted(model)
    version = await world.staged(model)
    await world.judged(model, version)

    async def call(registry: ModelRegistry, operation_id: str | None) -> Any:
        return await registry.transition_stage(
            world.tenant, model, version, "production", actor="kim", operation_id=operation_id
        )

    return call


async def rolling_back(world: RegistryFixture, model: str) -> Call:
    for _ in range(3):
        await world.promoted(model)

    async def call(registry: ModelRegistry, operation_id: str | None) -> Any:
        return await registry.rollback(
            world.tenant, model, actor="kim", reason="too slow", operation_id=operation_id
        )

    return call


async def deletion(world: RegistryFixture, model: str) -> Call:
    await world.promoted(model)
    version = await world.version(model)

    async def call(registry: ModelRegistry, operation_id: str | None) -> Any:
        return await registry.delete_model(
            world.tenant, model, version, actor="kim", reason="unused", operation_id=operation_id
        )

    return call


STEPS = {
    "register": registration,
    "promote": promotion,
    "rollback": rolling_back,
    "delete": deletion,
}


async def problems(world: RegistryFixture, model: str) -> list[str]:
    """The problems of the model: ledger, MLflow and files."""
    return await broken(world.registry, world.tenant, model)


async def effects(world: RegistryFixture, model: str, operation_id: str) -> int:
    """How many entries the operation has."""
    history = await world.history(model)
    return sum(entry.operation_id == operation_id for entry in history)
