"""The sweeper of the outbox in this process: a background task that ends with the app."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from model_lifecycle.registry.domain.errors import BackendUnavailable

from .lifespan import OpenRegistry
from .metrics import Metrics

_log = logging.getLogger("model_lifecycle.api")
#: Seconds that a running sweep has after the signal to stop.
_LAST_SWEEP = 10.0


class OutboxTask:
    """Sweeps the outbox every ``interval`` seconds and measures it. Each process of a server runs
    one: every row is claimed by one of them."""

    def __init__(self, opened: OpenRegistry, metrics: Metrics, interval: float) -> None:
        self._opened = opened
        self._metrics = metrics
        self._interval = interval
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="outbox-sweeper")

    async def close(self) -> None:
        """Let a running sweep end, and cancel one that takes too long: its rows stay pending."""
        self._stopping.set()
        if self._task is None:
            return
        _, running = await asyncio.wait({self._task}, timeout=_LAST_SWEEP)
        for task in running:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._sweep()
            except BackendUnavailable as error:
                _log.warning("the outbox is swept later: %s", error)
            except Exception:
                # The task has to outlive everything that it meets.
                _log.exception("a sweep of the outbox failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._interval)

    async def _sweep(self) -> None:
        registry = await self._opened.registry()
        try:
            self._metrics.swept(await registry.sweep_outbox())
        finally:
            self._metrics.outbox(await registry.outbox_status())
