"""One partition is read while the one before it is replayed."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Collection
from contextlib import aclosing

import pytest

from model_lifecycle.gates.data.prefetch import prefetch_next


class Disk:
    """Reads numbers in a thread, and knows which it began and ended."""

    def __init__(self, broken: Collection[int] = ()) -> None:
        self.broken = broken
        self.begun: list[int] = []
        self.read_all = [threading.Event() for _ in range(5)]
        self.free = threading.Event()
        self.free.set()

    async def read(self, item: int) -> int:
        self.begun.append(item)
        return await asyncio.to_thread(self._read, item)

    async def has_read(self, item: int) -> None:
        """Waits until the number was read."""
        assert await asyncio.to_thread(self.read_all[item].wait, 10)

    @property
    def ended(self) -> list[int]:
        return [item for item, event in enumerate(self.read_all) if event.is_set()]

    def _read(self, item: int) -> int:
        assert self.free.wait(10)
        self.read_all[item].set()
        if item in self.broken:
            raise OSError(f"{item} is broken")
        return item * 10


async def _worked(disk: Disk, work: Callable[[int, int], Awaitable[None]]) -> None:
    """All that is read, each number worked on."""
    async with aclosing(prefetch_next(range(5), disk.read)) as read:
        async for item, data in read:
            await work(item, data)


async def test_the_next_is_read_meanwhile_and_no_further() -> None:
    """While one item is worked on, the next is read to its end, and the one after is not begun."""
    disk, got = Disk(), []

    async def work(item: int, data: int) -> None:
        got.append((item, data))
        ahead = min(item + 1, 4)
        await disk.has_read(ahead)
        await asyncio.sleep(0.01)
        assert disk.begun == list(range(ahead + 1))

    await _worked(disk, work)

    assert got == [(0, 0), (1, 10), (2, 20), (3, 30), (4, 40)]


async def test_nothing_to_read() -> None:
    """Without items nothing is read."""
    disk = Disk()

    nothing: list[int] = []

    assert [pair async for pair in prefetch_next(nothing, disk.read)] == []
    assert disk.begun == []


async def test_an_error_of_reading() -> None:
    """It is raised in its item's turn, as it is, when what came before has been worked on; what
    comes after is not begun."""
    disk, got = Disk(broken={2}), []

    async def work(item: int, _: int) -> None:
        got.append(item)

    with pytest.raises(OSError, match="2 is broken"):
        await _worked(disk, work)

    assert got == [0, 1]
    assert disk.begun == [0, 1, 2]


@pytest.mark.parametrize("broken", [(), {1}])
async def test_an_error_of_the_work(
    broken: Collection[int], caplog: pytest.LogCaptureFixture
) -> None:
    """The item that is being read then is awaited and dropped, whatever its result: nothing goes on
    behind the error, and nothing is reported of it."""
    disk, before = Disk(broken), asyncio.all_tasks()

    async def work(item: int, _: int) -> None:
        disk.free.clear()
        await asyncio.sleep(0)
        assert (disk.begun, disk.ended) == ([0, 1], [0])
        threading.Timer(0.05, disk.free.set).start()
        raise ZeroDivisionError(item)

    with pytest.raises(ZeroDivisionError):
        await _worked(disk, work)

    assert disk.begun == disk.ended == [0, 1]
    assert asyncio.all_tasks() == before
    gc.collect()
    assert caplog.records == []


async def test_cancelled() -> None:
    """Cancelled while an item is worked on, it ends with what is being read."""
    disk, before, working = Disk(), asyncio.all_tasks(), asyncio.Event()

    async def work(item: int, _: int) -> None:
        working.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(_worked(disk, work))
    await working.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert disk.begun == disk.ended == [0, 1]
    assert asyncio.all_tasks() == before
