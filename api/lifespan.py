"""One registry a process, opened with the app, or when an unavailable backend answers again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Annotated

from fastapi import Depends, Request

from model_lifecycle.registry.administration import ApiKeys
from model_lifecycle.registry.domain.errors import BackendUnavailable, RegistryError
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.settings import Settings

from .shared_attempt import SharedAttempt

_log = logging.getLogger("model_lifecycle.api")
_TRY_AGAIN_AFTER = 1.0
_NOT_SET_UP = "it is not set up; the server's log says why"


class OpenRegistry:
    """The registry and the API keys of one process.

    Opening is tried at once and, if it fails, again on later requests: a server that starts
    before its database, or inside Airflow's, must not fail with it.
    """

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._opened: tuple[ModelRegistry, ApiKeys] | None = None
        self._opening = SharedAttempt(self._open, pause=_TRY_AGAIN_AFTER)

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
        await self._opening.close()
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
        return await self._opening.result()

    async def _open(self) -> tuple[ModelRegistry, ApiKeys]:
        async with AsyncExitStack() as stack:
            try:
                settings = await asyncio.to_thread(self._settings)
                registry = await stack.enter_async_context(open_registry(settings))
                keys = await ApiKeys.open(settings.database_url)
            except BackendUnavailable:
                raise
            except RegistryError as error:
                # A mistake in the settings, which only the log may tell in full.
                _log.error("the registry cannot be opened: %s", error)
                raise BackendUnavailable("registry", _NOT_SET_UP) from error
            except Exception as error:
                _log.exception("the registry cannot be opened")
                raise BackendUnavailable("registry", _NOT_SET_UP) from error
            stack.push_async_callback(keys.close)
            self._stack = stack.pop_all()
        self._opened = registry, keys
        return self._opened


async def _registry(request: Request) -> ModelRegistry:
    opened: ModelRegistry = await request.app.state.opened.registry()
    return opened


Registry = Annotated[ModelRegistry, Depends(_registry)]
