"""Calls that run at the same time end before the caller goes on."""

from __future__ import annotations

import asyncio

import pytest
from support.registry_fixture import RegistryFixture, new_name
from support.servers.postgres import free_port

from model_lifecycle.registry.concurrency import run_concurrently
from model_lifecycle.registry.domain.errors import BackendUnavailable
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.settings import Settings


async def _after(seconds: float, answer: str) -> str:
    await asyncio.sleep(seconds)
    return answer


async def _failing() -> str:
    await asyncio.sleep(0)
    raise LookupError("not here")


async def test_answers_come_in_the_order_of_the_questions() -> None:
    """Whichever of them is ready first."""
    assert await run_concurrently(_after(0.01, "slow"), _after(0, "fast")) == ("slow", "fast")
    assert await run_concurrently(*[_after(0, name) for name in "abc"]) == ("a", "b", "c")
    assert await run_concurrently() == ()


async def test_the_first_error_is_raised_as_it_is_and_nothing_runs_on() -> None:
    """The others have ended, with what they clean up, before the caller hears of it."""
    ended = []

    async def long() -> str:
        try:
            return await _after(60, "too late")
        finally:
            await asyncio.sleep(0)
            ended.append("cleaned up")

    before = asyncio.all_tasks()
    with pytest.raises(LookupError, match="not here") as caught:
        await run_concurrently(long(), _failing(), long())

    assert ended == ["cleaned up"] * 2
    assert asyncio.all_tasks() == before
    assert caught.value.__cause__ is None


async def test_who_is_cancelled_cancels_all() -> None:
    """A deadline around them holds for each."""
    before = asyncio.all_tasks()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await run_concurrently(_after(60, "never"), _after(60, "never"))

    assert asyncio.all_tasks() == before


async def test_a_refused_promotion_leaves_nothing_running(
    local: RegistryFixture, embedded_settings: Settings
) -> None:
    """With MLflow away it is refused before the ledger has answered: a question still under way
    would keep its connection from being closed with the registry."""
    model_id = new_name()
    await local.staged(model_id)
    await local.judged(model_id, 1)
    away = embedded_settings.with_values(tracking_uri=f"http://127.0.0.1:{free_port()}")
    before = asyncio.all_tasks()
    for _ in range(20):
        async with open_registry(away) as registry:
            with pytest.raises(BackendUnavailable):
                await registry.transition_stage(
                    local.tenant, model_id, 1, "production", actor="kim"
                )
            assert asyncio.all_tasks() == before
