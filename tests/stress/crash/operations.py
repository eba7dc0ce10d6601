"""The operations that are killed: how the world is before each, and how it is called."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from support.registry_fixture import RegistryFixture, new_name, trained

from model_lifecycle.registry.domain.identifiers import ModelId, TenantId, registered_name
from model_lifecycle.registry.domain.models import TrainedModel
from model_lifecycle.registry.domain.stages import Stage
from model_lifecycle.registry.frameworks import adapter_for
from model_lifecycle.registry.mlflow_adapter import tags
from model_lifecycle.registry.model_registry import ModelRegistry

#: What a case has to remember from one process to the next, as plain JSON.
State = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """``prepare`` makes the world and returns the arguments of ``call``, which is killed, and
    called again with the same operation id."""

    prepare: Callable[[RegistryFixture], Awaitable[State]]
    call: Callable[[ModelRegistry, State], Awaitable[Any]]


@cache
def fitted() -> TrainedModel:
    """Fitted once: a fork of the warm process has it already."""
    return trained()


@cache
def _saved() -> Path:
    """The fitted model as a folder. A registration from the object saves it first, which is all in
    memory and a folder of its own, and costs a second in each case."""
    scratch = Path(tempfile.mkdtemp(prefix="crash-model-"))
    atexit.register(shutil.rmtree, scratch)
    item = fitted()
    adapter_for("sklearn").save(item.model, scratch / "model", input_example=item.input_example)
    return scratch / "model"


def warm() -> None:
    """Do once what every fork would do again."""
    fitted()
    _saved()


async def _register(registry: ModelRegistry, state: State) -> Any:
    source = state["source"]
    return await registry.register_model(
        state["tenant"],
        state["model"],
        source or _saved(),
        "sklearn",
        None if source else fitted().metrics,
        None if source else fitted().parameters,
        training_log=None if source else "epoch 1\n",
        created_by="kim",
        operation_id=state["operation_id"],
    )


async def _new_model(world: RegistryFixture) -> State:
    return {"source": None}


async def _next_version(world: RegistryFixture) -> State:
    await world.version("churn")
    return {"source": world.sources[0]}


async def _candidate(world: RegistryFixture) -> State:
    await world.promoted("churn")
    version = await world.staged("churn")
    await world.judged("churn", version)
    return {"version": version}


async def _promote(registry: ModelRegistry, state: State) -> Any:
    return await registry.transition_stage(
        state["tenant"],
        state["model"],
        state["version"],
        Stage.PRODUCTION,
        actor="kim",
        expected_production=1,
        operation_id=state["operation_id"],
    )


async def _replaced(world: RegistryFixture) -> State:
    await world.promoted("churn")
    await world.promoted("churn")
    return {}


async def _roll_back(registry: ModelRegistry, state: State) -> Any:
    return await registry.rollback(
        state["tenant"],
        state["model"],
        actor="kim",
        reason="too many late flights",
        operation_id=state["operation_id"],
    )


async def _unused(world: RegistryFixture) -> State:
    await world.promoted("churn")
    return {"version": await world.version("churn")}


async def _never_used(world: RegistryFixture) -> State:
    await world.version("churn")
    await world.staged("churn")
    return {"version": None}


async def _delete(registry: ModelRegistry, state: State) -> Any:
    return await registry.delete_model(
        state["tenant"],
        state["model"],
        state["version"],
        actor="kim",
        reason="not needed",
        operation_id=state["operation_id"],
    )


async def _drifted(world: RegistryFixture) -> State:
    """Production elsewhere by alias, tags edited, a version registered by hand, another that
    was deleted and came back half."""
    for _ in range(2):
        await world.promoted("churn")
    tracking = world.registry._stores.tracking
    name = registered_name(TenantId(world.tenant), ModelId("churn"))
    await tracking.set_alias(name, tags.PRODUCTION_ALIAS, 1)
    await tracking.set_version_tags(name, 2, {tags.STAGE: "staging"})
    logged = world.sources[0].removeprefix("models:/")
    await tracking.create_model_version(
        name,
        source=world.sources[0],
        run_id=None,
        logged_model_id=logged,
        tags={},
        description="by hand",
    )
    return {}


async def _reconcile(registry: ModelRegistry, state: State) -> Any:
    return await registry.reconcile(state["tenant"])


OPERATIONS = {
    "register": Operation(_new_model, _register),
    "create_version": Operation(_next_version, _register),
    "promote": Operation(_candidate, _promote),
    "rollback": Operation(_replaced, _roll_back),
    "delete_version": Operation(_unused, _delete),
    "delete_model": Operation(_never_used, _delete),
    "reconcile": Operation(_drifted, _reconcile),
}


async def prepared(registry: ModelRegistry, name: str) -> State:
    """A tenant of the case's own, with the world that the operation meets."""
    tenant = new_name("acme")
    logged = await registry.log_model(tenant, "origin", fitted(), created_by="kim")
    world = RegistryFixture(registry, tenant, (logged.model_uri,))
    state = await OPERATIONS[name].prepare(world)
    history = [] if name == "register" else await world.history("churn")
    return {
        "source": None,
        **state,
        "tenant": tenant,
        "model": "churn",
        "operation_id": new_name("killed"),
        "answered": [entry.hash for entry in history],
    }
