"""One case in two processes: an operation killed at a fault point, and what the next finds."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import Any

from stress.crash.fault_points import FaultPoints
from stress.crash.invariants import broken, broken_for_readers, picture
from stress.crash.operations import OPERATIONS, State, prepared

from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.settings import Settings

Tell = Callable[[dict[str, Any]], None]


def prepare(settings: Settings, name: str) -> State:
    """Make the world before the operation, and close the registry in good order."""

    async def run() -> State:
        async with open_registry(settings) as registry:
            return await prepared(registry, name)

    return asyncio.run(run())


def killed(
    settings: Settings, name: str, fatal: int, tell: Tell, state: State | None = None
) -> None:
    """Prepare, unless there is a ``state``, and call the operation. Ends at fault point
    ``fatal``, or tells how many there are when it has ``finished``."""

    async def run() -> None:
        async with open_registry(settings) as registry:
            state_before = state or await prepared(registry, name)
            tell({"state": state_before})
            points = FaultPoints(registry._stores, fatal, lambda point: tell({"point": point}))
            await OPERATIONS[name].call(registry, state_before)
            tell({"finished": points.count})

    asyncio.run(run())


def recovered(settings: Settings, name: str, state: State, committed: bool, way: str) -> list[str]:
    """The problems after a restart: at once, and after healing by ``way``: ``reconcile``, or
    ``repeat``, the same call with the same operation id."""

    async def run() -> list[str]:
        async with open_registry(settings) as registry:
            problems = [f"at once: {item}" for item in await _surviving(registry, state, committed)]
            if way == "reconcile":
                problems += await _reconciled(registry, state)
                if name != "reconcile":
                    problems += await _repeated(registry, name, state)
            else:
                problems += await _repeated(registry, name, state)
                problems += [
                    f"left by the repetition: {finding.message}"
                    for finding in await registry.reconcile(state["tenant"])
                ]
            return problems

    try:
        return asyncio.run(run())
    except Exception:
        return [traceback.format_exc()]


async def _surviving(registry: ModelRegistry, state: State, committed: bool) -> list[str]:
    """Every committed entry is there, and nothing that was not committed."""
    problems = await broken_for_readers(registry, state["tenant"])
    entries = await registry._stores.ledger.read.entries(state["tenant"], state["model"])
    hashes = [entry.hash for entry in entries]
    if hashes[: len(state["answered"])] != state["answered"]:
        problems.append("an answered entry is missing")
    if (len(hashes) > len(state["answered"])) != committed:
        problems.append(f"committed: {committed}, but {len(hashes)} entries")
    return problems


async def _reconciled(registry: ModelRegistry, state: State) -> list[str]:
    tenant = state["tenant"]
    findings = await registry.reconcile(tenant)
    problems = [f"not healed: {item.message}" for item in findings if not item.healed]
    problems += [f"after reconcile: {item}" for item in await broken(registry, tenant)]
    before = await picture(registry, tenant)
    again = await registry.reconcile(tenant)
    problems += [f"found again: {item.message}" for item in again]
    after = await picture(registry, tenant)
    problems += [
        f"changed by the second reconcile: {key}"
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    ]
    return problems


async def _repeated(registry: ModelRegistry, name: str, state: State) -> list[str]:
    await OPERATIONS[name].call(registry, state)
    problems = [f"after repeating: {item}" for item in await broken(registry, state["tenant"])]
    if name != "reconcile":
        history = await registry.history(state["tenant"], state["model"])
        effects = [item for item in history if item.operation_id == state["operation_id"]]
        if len(effects) != 1 or len(history) != len(state["answered"]) + 1:
            problems.append(f"{len(effects)} entries of the operation, {len(history)} in all")
    return problems
