"""Several things at once, and none of them left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import Any, TypeVar, overload

First = TypeVar("First")
Second = TypeVar("Second")
Each = TypeVar("Each")


@overload
async def run_concurrently(
    first: Coroutine[Any, Any, First], second: Coroutine[Any, Any, Second], /
) -> tuple[First, Second]: ...
@overload
async def run_concurrently(*works: Coroutine[Any, Any, Each]) -> tuple[Each, ...]: ...
async def run_concurrently(*works: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
    """The results of ``works``, in their order; they run at the same time.

    The first error is raised once the others have been cancelled and have ended. After
    ``asyncio.gather`` they would go on behind the caller's back: with a connection of a database
    that is being closed, or sending files of an upload that was already refused.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return tuple(task.result() for task in tasks)


#: The checks that the present task is part of.
_checks: ContextVar[tuple[FirstUse, ...]] = ContextVar("checks", default=())


class FirstUse:
    """Runs a check before the first use of something, once.

    Those that use it at the same time share one check and its outcome: behind a server that hangs,
    they do not wait for one timeout each, one after the other. After a check that failed, the next
    user runs it again. The check itself, with the tasks that it starts, may use what it checks.
    """

    def __init__(self, check: Callable[[], Awaitable[None]]) -> None:
        self._check = check
        self._passed = False
        self._running: asyncio.Task[None] | None = None
        self._users = 0

    async def __call__(self) -> None:
        """Return once the check has passed. Raises what the check raises."""
        if self._passed or self in _checks.get():
            return
        if self._running is None:
            self._running, self._users = asyncio.create_task(self._run()), 0
            self._running.add_done_callback(self._ended)
        running = self._running
        self._users += 1
        try:
            # A user that is cancelled leaves the check to the others; the last one ends it.
            await asyncio.shield(running)
        except asyncio.CancelledError:
            if running is self._running:
                self._users -= 1
                if not self._users:
                    self._running = None
                    running.cancel()
                    await asyncio.wait([running])
            raise

    async def _run(self) -> None:
        _checks.set((*_checks.get(), self))
        await self._check()
        self._passed = True

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._running is task:
            self._running = None
        if not task.cancelled():
            task.exception()
