"""A check before the first use of something: once, shared, and again only after it has failed."""

from __future__ import annotations

import asyncio

import pytest

from model_lifecycle.registry.concurrency import FirstUse, run_concurrently


class Check:
    """A check that takes a moment, and fails as often as it is to."""

    def __init__(self, failures: int = 0) -> None:
        self.runs = 0
        self._failures = failures

    async def __call__(self) -> None:
        self.runs += 1
        await asyncio.sleep(0.01)
        if self.runs <= self._failures:
            raise OSError(f"failure {self.runs}")


async def test_users_share_one_check() -> None:
    check = Check()
    first_use = FirstUse(check)
    await asyncio.gather(*(first_use() for _ in range(20)))
    await first_use()

    assert check.runs == 1


async def test_users_share_its_failure() -> None:
    """Those that wait together fail together; the next user runs it again."""
    check = Check(failures=1)
    first_use = FirstUse(check)
    outcomes = await asyncio.gather(*(first_use() for _ in range(20)), return_exceptions=True)
    assert ({str(item) for item in outcomes}, check.runs) == ({"failure 1"}, 1)
    await first_use()

    assert check.runs == 2


async def test_a_cancelled_user_leaves_the_check_to_the_others() -> None:
    check = Check()
    first_use = FirstUse(check)
    cancelled, other = (asyncio.create_task(first_use()) for _ in range(2))
    await asyncio.sleep(0)
    cancelled.cancel()
    await other

    assert (check.runs, cancelled.cancelled()) == (1, True)


async def test_the_last_cancelled_user_ends_the_check() -> None:
    """Nothing goes on behind the users' back, and the next one runs a check of its own."""
    check = Check()
    first_use = FirstUse(check)
    before = asyncio.all_tasks()
    users = [asyncio.create_task(first_use()) for _ in range(2)]
    await asyncio.sleep(0.001)
    for user in users:
        user.cancel()
    await asyncio.wait(users)
    assert asyncio.all_tasks() == before
    await first_use()

    assert check.runs == 2


async def test_a_check_uses_what_it_checks() -> None:
    """Also in the tasks that it starts."""

    async def check() -> None:
        await run_concurrently(first_use(), first_use())

    first_use = FirstUse(check)
    async with asyncio.timeout(5):
        await first_use()


async def test_two_checks_do_not_mistake_each_other() -> None:
    """A check waits for another one that it needs."""
    inner = Check(failures=1)
    inner_use = FirstUse(inner)
    outer_use = FirstUse(inner_use)
    with pytest.raises(OSError, match="failure 1"):
        await outer_use()
    await outer_use()

    assert inner.runs == 2
