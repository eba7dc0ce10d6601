"""One attempt for all who wait: a slow failure is never repeated by each of them in turn."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedAttempt(Generic[T]):
    """Runs ``work`` once for every caller that waits for it, and gives all of them its result.

    After a failure, ``pause`` seconds pass before the next attempt; callers in between get the
    same error at once. A caller that gives up does not end the attempt for the others.
    """

    def __init__(self, work: Callable[[], Awaitable[T]], pause: float) -> None:
        self._work = work
        self._pause = pause
        self._task: asyncio.Task[T] | None = None
        self._error: Exception | None = None
        self._retry_at = 0.0

    async def result(self) -> T:
        """The attempt's result. Raises the attempt's error."""
        if self._task is None:
            if self._error is not None and time.monotonic() < self._retry_at:
                raise self._error.with_traceback(None)
            self._task = asyncio.create_task(self._attempt())
            self._task.add_done_callback(self._finish)
        return await asyncio.shield(self._task)

    async def close(self) -> None:
        """End an attempt that is running."""
        task = self._task
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task

    async def _attempt(self) -> T:
        return await self._work()

    def _finish(self, task: asyncio.Task[T]) -> None:
        self._task = None
        self._error = None
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._error = error
            self._retry_at = time.monotonic() + self._pause
