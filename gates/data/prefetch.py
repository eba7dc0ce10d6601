"""Reading what comes next while the present is worked on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")
Data = TypeVar("Data")


async def prefetch_next(
    items: Iterable[Item], read: Callable[[Item], Coroutine[Any, Any, Data]]
) -> AsyncGenerator[tuple[Item, Data]]:
    """Each item with what ``read`` makes of it, in order; meanwhile the next one is read, and no
    further. An error of ``read`` is raised in its item's turn. To be closed by a caller that leaves
    early (``contextlib.aclosing``): nothing is being read any more then."""
    waiting = iter(items)

    def begun() -> tuple[Item, asyncio.Task[Data]] | None:
        for item in waiting:
            return item, asyncio.create_task(read(item))
        return None

    ahead = begun()
    try:
        while ahead is not None:
            item, reading = ahead
            data = await reading
            ahead = begun()
            yield item, data
    finally:
        if ahead is not None:
            # A thread cannot be stopped: it is waited for, and what it read is dropped.
            await asyncio.gather(ahead[1], return_exceptions=True)
