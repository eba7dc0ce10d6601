"""The one bridge from synchronous code, such as Airflow's operators, to the async core."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` to its end and return its result.

    Where this thread already runs an event loop, the work runs on a loop of its own in another
    thread, and this one waits: a notebook or a test may call it, a coroutine never should.
    """
    if not _loop_is_running():
        return asyncio.run(work)
    with ThreadPoolExecutor(1, thread_name_prefix="model-lifecycle") as thread:
        return thread.submit(asyncio.run, work).result()


def _loop_is_running() -> bool:
    """Asked apart from the work, so that its answer is no part of the work's errors."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
