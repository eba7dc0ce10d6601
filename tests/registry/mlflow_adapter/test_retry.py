"""Several processes' worth of first users: adapters of their own, each in a thread and loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from model_lifecycle.registry.domain.identifiers import TenantId, model_id, registered_name
from model_lifecycle.registry.mlflow_adapter.client import MlflowTracking

T = TypeVar("T")
THREADS = 6


def in_threads(uri: str, work: Callable[[MlflowTracking], Awaitable[T]]) -> list[T]:
    async def main() -> T:
        tracking = MlflowTracking(uri, call_timeout=30, transfer_timeout=120)
        try:
            return await work(tracking)
        finally:
            await tracking.close()

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(lambda _: asyncio.run(main()), range(THREADS)))


def test_adapters_that_ensure_at_once(uri: str, tenant: TenantId, artifact_root: str) -> None:
    """All get the same experiment, and one registered model is there."""
    name = registered_name(tenant, model_id("churn"))

    async def work(tracking: MlflowTracking) -> tuple[str, list[str]]:
        experiment = await tracking.ensure_experiment(tenant, model_id("churn"), artifact_root)
        await tracking.ensure_registered_model(name, tags={"a": "b"}, description="")
        return experiment, [model.name for model in await tracking.registered_models(tenant)]

    results = in_threads(uri, work)

    assert len({experiment for experiment, _ in results}) == 1
    assert [[name]] * THREADS == [names for _, names in results]


def test_adapters_that_open_an_empty_folder_at_once(tmp_path: Path) -> None:
    """The tables are created once, and nobody sees half of them."""

    async def work(tracking: MlflowTracking) -> None:
        await tracking.ping()

    uri = f"sqlite:///{tmp_path}/new/mlflow.db"

    assert in_threads(uri, work) == [None] * THREADS
