"""Whether the stores answer, each by name; checked at most once a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from model_lifecycle.registry.concurrency import run_concurrently
from model_lifecycle.registry.domain.errors import BackendUnavailable, RegistryError

from .lifespan import OpenRegistry

_FRESH = 1.0
_PATIENCE = 5.0


class Health:
    """Answers probes. Anyone may ask, so an answer is kept for a second."""

    def __init__(self, opened: OpenRegistry) -> None:
        self._opened = opened
        self._lock = asyncio.Lock()
        self._checked_at = -_FRESH
        self._known: dict[str, Any] = {}
        self._warnings: list[str] = []

    async def parts(self) -> dict[str, str | None]:
        """Each part with its problem, None where it has none."""
        async with self._lock:
            if time.monotonic() >= self._checked_at + _FRESH:
                self._known = await self._ask()
                self._checked_at = time.monotonic()
        return self._known

    def warnings(self) -> list[str]:
        """Warnings about this process at the last probe: its clock."""
        return self._warnings

    async def _ask(self) -> dict[str, str | None]:
        ledger, artifacts, all_three = await run_concurrently(
            _problem(self._ledger), _problem(self._artifacts), _problem(self._all)
        )
        mlflow = all_three if ledger is None and artifacts is None else None
        if ledger is not None:
            mlflow = "not checked, as the ledger does not answer"
        self._warnings = []
        if ledger is None:
            warning = (await self._opened.registry()).clock_warning()
            self._warnings = [warning] if warning else []
        return {"ledger": ledger, "mlflow": mlflow, "artifacts": artifacts}

    async def _ledger(self) -> None:
        await (await self._opened.keys()).ping()

    async def _artifacts(self) -> None:
        await (await self._opened.registry()).artifacts.ping()

    async def _all(self) -> None:
        await (await self._opened.registry()).ping()


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
