"""One registry a process, opened with the app; while a store is away, opened when it is back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Annotated

from fastapi import Depends, Request

from model_lifecycle.registry.ledger.api_keys import ApiKeys
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.opening import open_registry
from model_lifecycle.registry.rules.errors import BackendUnavailable, RegistryError
from model_lifecycle.registry.settings import Settings

_log = logging.getLogger("model_lifecycle.api")
_TRY_AGAIN_AFTER = 1.0


class OpenRegistry:
    """The registry and the API keys of one process.

    Opening is tried at once and, if it fails, again on later requests: a server that starts
    before its database, or inside Airflow's, must not fail with it.
    """

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._opened: tuple[ModelRegistry, ApiKeys] | None = None
        self._tried = -_TRY_AGAIN_AFTER
        self._problem = ""

    async def start(self) -> None:
        """Open if that is possible now."""
        try:
            await self._both()
        except BackendUnavailable as error:
            _log.warning("not open yet: %s", error)

    async def warm(self) -> None:
        """Ask MLflow for something, so that no caller waits for it to be imported."""
        with contextlib.suppress(RegistryError):
            await (await self.registry()).list_experiments("nobody")

    async def close(self) -> None:
        await self._stack.aclose()

    async def registry(self) -> ModelRegistry:
        """Raises BackendUnavailable while it cannot be opened."""
        return (await self._both())[0]

    async def keys(self) -> ApiKeys:
        """The keys in the ledger's database. Raises BackendUnavailable."""
        return (await self._both())[1]

    async def _both(self) -> tuple[ModelRegistry, ApiKeys]:
        if self._opened is not None:
            return self._opened
        async with self._lock:
            if self._opened is None:
                if time.monotonic() < self._tried + _TRY_AGAIN_AFTER:
                    raise BackendUnavailable("registry", self._problem)
                self._tried = time.monotonic()
                self._opened = await self._open()
        return self._opened

    async def _open(self) -> tuple[ModelRegistry, ApiKeys]:
        async with AsyncExitStack() as stack:
            try:
                settings = await asyncio.to_thread(self._settings)
                registry = await stack.enter_async_context(open_registry(settings))
                keys = await ApiKeys.open(settings.database_url)
            except BackendUnavailable as error:
                self._problem = error.problem
                raise
            except RegistryError as error:
                # A mistake in the settings, which only the log may tell in full.
                self._problem = "it is not set up; the server's log says why"
                _log.error("the registry cannot be opened: %s", error)
                raise BackendUnavailable("registry", self._problem) from error
            except Exception as error:
                self._problem = "it is not set up; the server's log says why"
                _log.exception("the registry cannot be opened")
                raise BackendUnavailable("registry", self._problem) from error
            stack.push_async_callback(keys.close)
            self._stack = stack.pop_all()
        return registry, keys


async def _registry(request: Request) -> ModelRegistry:
    found: ModelRegistry = await request.app.state.opened.registry()
    return found


Registry = Annotated[ModelRegistry, Depends(_registry)]
