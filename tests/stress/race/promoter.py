"""One of several processes that promote versions of the same model. A program: it reads commands as
JSON lines, and answers each with a line of what it tried and what came of it.

``promote``: one compare-and-set, at a given moment. ``roam``: any changes, one after the other,
each on what it has just read.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from support.memory_mlflow import MemoryMlflow

from model_lifecycle.registry.artifacts.local_store import LocalArtifacts
from model_lifecycle.registry.domain.errors import BackendUnavailable, RegistryError
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.ledger.ledger import Ledger
from model_lifecycle.registry.mlflow_adapter.client import MlflowTracking
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.services.backends import Backends
from model_lifecycle.registry.settings import Settings

TENANT, MODEL = "acme", "churn"
#: What a version can be asked to do next, where its stage allows it.
NEXT = {"development": "staging", "staging": "production", "archived": "development"}


class EveryVersion(MemoryMlflow):
    """An MLflow that shows whatever is written, for rounds that are about the ledger alone."""

    async def set_alias(self, name: str, alias: str, version: int) -> None:
        return None

    async def delete_alias(self, name: str, alias: str) -> None:
        return None

    async def set_version_tags(self, name: str, version: int, tags: Any) -> None:
        return None

    async def set_registered_model_tags(self, name: str, tags: Any) -> None:
        return None


@asynccontextmanager
async def opened(place: dict[str, Any]) -> AsyncIterator[ModelRegistry]:
    """The registry at ``place``; without a tracking address its MLflow only nods."""
    settings = Settings({}, **{name: value for name, value in place.items() if value})
    if place.get("tracking_uri"):
        async with open_registry(settings) as registry:
            yield registry
        return
    ledger = await Ledger.open(settings.database_url)
    artifacts = LocalArtifacts(Path(settings.artifact_root))
    tracking = cast(MlflowTracking, EveryVersion())
    yield ModelRegistry(Backends(settings, ledger, tracking, artifacts))
    await ledger.close()


class Promoter:
    def __init__(self, registry: ModelRegistry) -> None:
        self.registry = registry
        self.choice = random.Random(os.getpid())

    async def promote(self, version: int, expected: int | None, at: float) -> dict[str, Any]:
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        return await self.attempt(
            f"promote {version}",
            expected,
            lambda operation_id: self.registry.transition_stage(
                TENANT,
                MODEL,
                version,
                "production",
                actor=f"process-{os.getpid()}",
                expected_production=expected,
                operation_id=operation_id,
            ),
        )

    async def roam(self, attempts: int) -> list[dict[str, Any]]:
        return [await self.step() for _ in range(attempts)]

    async def step(self) -> dict[str, Any]:
        model = await self.registry.get_model(TENANT, MODEL)
        assert model is not None
        common: dict[str, Any] = {"actor": f"process-{os.getpid()}", "reason": "a race"}
        expected = model.production_version
        if self.choice.random() < 0.25:
            return await self.attempt(
                "rollback",
                None,
                lambda operation_id: self.registry.rollback(
                    TENANT, MODEL, operation_id=operation_id, **common
                ),
            )
        versions = await self.registry.list_versions(TENANT, MODEL)
        movable = [item for item in versions if item.stage.value in NEXT]
        item = self.choice.choice(movable)
        target = NEXT[item.stage.value]
        return await self.attempt(
            f"{target} {item.version}",
            expected,
            lambda operation_id: self.registry.transition_stage(
                TENANT,
                MODEL,
                item.version,
                target,
                expected_production=expected,
                force=True,
                operation_id=operation_id,
                **common,
            ),
        )

    async def attempt(self, what: str, expected: int | None, call: Any) -> dict[str, Any]:
        operation_id = f"{os.getpid()}-{time.monotonic_ns()}"
        started = time.monotonic_ns()
        try:
            await call(operation_id)
            outcome = "done"
        except BackendUnavailable as error:
            outcome = f"{error.code} {error}"
        except RegistryError as error:
            outcome = error.code
        return {
            "operation_id": operation_id,
            "what": what,
            "expected": expected,
            "outcome": outcome,
            "started": started,
            "ended": time.monotonic_ns(),
        }


async def main(place: dict[str, Any]) -> None:
    async with opened(place) as registry:
        if place.get("tracking_uri"):
            await registry.ping()
        promoter = Promoter(registry)
        print(json.dumps("ready"), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            command = json.loads(line)
            answer = await getattr(promoter, command.pop("do"))(**command)
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
