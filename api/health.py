"""Whether the stores answer, each by name; checked at most once a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from model_lifecycle.registry.concurrency import run_concurrently
from model_lifecycle.registry.domain.errors import BackendUnavailable, RegistryError
from model_lifecycle.registry.domain.models import OutboxStatus

from .lifespan import OpenRegistry

_FRESH = 1.0
_PATIENCE = 5.0
#: Seconds after which a change that MLflow does not show is worth a warning.
_OLD_CHANGE = 60.0


class Health:
    """Answers probes. Anyone may ask, so an answer is kept for a second."""

    def __init__(self, opened: OpenRegistry) -> None:
        self._opened = opened
        self._lock = asyncio.Lock()
        self._checked_at = -_FRESH
        self._known: dict[str, Any] = {}
        self._warnings: list[str] = []
        self._outbox: OutboxStatus | None = None

    async def parts(self) -> dict[str, str | None]:
        """Each part with its problem, None where it has none."""
        async with self._lock:
            if time.monotonic() >= self._checked_at + _FRESH:
                self._known = await self._ask()
                self._checked_at = time.monotonic()
        return self._known

    def warnings(self) -> list[str]:
        """Warnings at the last probe: this process's clock, changes that MLflow does not show."""
        return self._warnings

    def outbox(self) -> OutboxStatus | None:
        """The outbox at the last probe; None if the ledger did not answer."""
        return self._outbox

    async def _ask(self) -> dict[str, str | None]:
        ledger, artifacts, all_three = await run_concurrently(
            _problem(self._ledger), _problem(self._artifacts), _problem(self._all)
        )
        mlflow = all_three if ledger is None and artifacts is None else None
        if ledger is not None:
            mlflow = "not checked, as the ledger does not answer"
        self._warnings, self._outbox = [], None
        if ledger is None and await _problem(self._measure_outbox) is None:
            clock = (await self._opened.registry()).clock_warning()
            self._warnings = [text for text in (clock, _outbox_warning(self._outbox)) if text]
        return {"ledger": ledger, "mlflow": mlflow, "artifacts": artifacts}

    async def _measure_outbox(self) -> None:
        self._outbox = await (await self._opened.registry()).outbox_status()

    async def _ledger(self) -> None:
        await (await self._opened.keys()).ping()

    async def _artifacts(self) -> None:
        await (await self._opened.registry()).artifacts.ping()

    async def _all(self) -> None:
        await (await self._opened.registry()).ping()


def _outbox_warning(outbox: OutboxStatus | None) -> str | None:
    if outbox is None or outbox.oldest_seconds < _OLD_CHANGE:
        return None
    return (
        f"MLflow may not show {outbox.pending} changes, the oldest for "
        f"{outbox.oldest_seconds:.0f} s; clients that load by its alias may use another version"
    )


async def _problem(ping: Callable[[], Awaitable[None]]) -> str | None:
    try:
        async with asyncio.timeout(_PATIENCE):
            await ping()
    except TimeoutError:
        return f"no answer within {_PATIENCE:g} s"
    except BackendUnavailable as error:
        return error.problem
    except RegistryError as error:
        return error.code
    return None
