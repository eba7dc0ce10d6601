"""Several things at once, and none of them left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
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
    """What each of ``works`` returns, in their order; they run at the same time.

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
