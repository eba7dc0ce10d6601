"""The way of every MLflow call: in a thread, few at a time, with a deadline, errors translated."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ..concurrency import FirstUse
from ..domain.errors import BackendUnavailable, RegistryError
from .errors import BACKEND, late, translate, without_credentials
from .factory import MlflowStores, check_uri, is_sqlite, open_stores
from .registry_protocol import RegistryStore
from .rest.probe import probe

T = TypeVar("T")

_log = logging.getLogger(__name__)
_SQLITE_TIMEOUT = 30.0


class Connection:
    """MLflow at one address. Constructing it does no I/O and does not import MLflow.

    The threads are its own, since a thread whose deadline has passed lives on until its socket
    gives up: such threads must not use up those of ``asyncio.to_thread``. A SQLite file is never
    unreachable, only busy with another writer: its calls get at least 30 s, and go one at a time.
    """

    def __init__(
        self, uri: str, *, call_timeout: float, transfer_timeout: float, max_concurrency: int
    ) -> None:
        self.uri = check_uri(uri)
        self.call_timeout = max(call_timeout, _SQLITE_TIMEOUT) if is_sqlite(uri) else call_timeout
        self.transfer_timeout = transfer_timeout
        self._turns = asyncio.Semaphore(1 if is_sqlite(uri) else max_concurrency)
        self._threads = ThreadPoolExecutor(max_concurrency, thread_name_prefix="mlflow")
        # Files take long: they have turns of their own, so that calls do not wait behind them.
        self._transfer_turns = asyncio.Semaphore(max_concurrency)
        self._transfer_threads = ThreadPoolExecutor(
            max_concurrency, thread_name_prefix="mlflow-files"
        )
        self._opening = threading.Lock()
        self._stores: MlflowStores | None = None
        self._closed = False
        #: Runs before the first call, once MLflow is reached.
        self.first_use: FirstUse | None = None

    async def call(
        self, work: Callable[[MlflowStores], T], *, missing: RegistryError | None = None
    ) -> T:
        """The result of ``work``. Raises ``missing`` for an object that MLflow does not have,
        BackendUnavailable when there is no answer in time, else what translation gives.

        ``work`` is sent once: only the caller knows whether it may be repeated.
        """
        stores = await self._opened()
        return await self._sent(lambda: work(stores), missing)

    async def call_registry(
        self, work: Callable[[RegistryStore], T], *, missing: RegistryError | None = None
    ) -> T:
        """Like :meth:`call`, for what the model registry alone can do: behind a server, MLflow
        is not imported for it."""
        store = (await self._reached()).registry
        return await self._sent(lambda: work(store), missing)

    async def transfer(self, work: Callable[[MlflowStores], T]) -> T:
        """Like :meth:`call`, for moving files, within the transfer timeout."""
        stores = await self._opened()
        async with self._transfer_turns:
            return await self._bounded(
                lambda: work(stores), self.transfer_timeout, None, self._transfer_threads
            )

    async def close(self) -> None:
        """Give up what is waiting and return database connections."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._transfer_threads.shutdown(wait=False, cancel_futures=True)
        if self._stores is not None:
            await asyncio.to_thread(self._stores.close)

    async def _opened(self) -> MlflowStores:
        """The stores with their tracking half, for which MLflow is imported."""
        stores = await self._reached()
        if not stores.is_whole:
            # Not in the threads of calls, which go on while MLflow is imported.
            await self._bounded(
                lambda: stores.tracking, self.transfer_timeout, None, self._transfer_threads
            )
        return stores

    async def _reached(self) -> MlflowStores:
        stores = self._stores
        if stores is None:
            await self._bounded(lambda: probe(self.uri, self.call_timeout), self.call_timeout, None)
            stores = await self._bounded(self._open, self.transfer_timeout, None)
        if self.first_use is not None:
            await self.first_use()
        return stores

    async def _sent(self, work: Callable[[], T], missing: RegistryError | None) -> T:
        end = asyncio.get_running_loop().time() + self.call_timeout
        # Waiting in the queue counts: while MLflow hangs, queued calls fail as early as sent ones.
        try:
            async with asyncio.timeout_at(end):
                await self._turns.acquire()
        except TimeoutError:
            raise late(self.call_timeout) from None
        try:
            left = end - asyncio.get_running_loop().time()
            return await self._bounded(work, left, missing)
        finally:
            self._turns.release()

    def _open(self) -> MlflowStores:
        with self._opening:
            if self._stores is None:
                self._stores = open_stores(self.uri, self.call_timeout)
            return self._stores

    async def _bounded(
        self,
        work: Callable[[], T],
        seconds: float,
        missing: RegistryError | None,
        threads: ThreadPoolExecutor | None = None,
    ) -> T:
        if self._closed:
            raise BackendUnavailable(BACKEND, "this registry was closed; open a new one")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                return await loop.run_in_executor(threads or self._threads, work)
        except TimeoutError:
            raise late(round(seconds, 1)) from None
        except RegistryError:
            raise
        except Exception as error:
            translated = translate(error, missing)
            if translated is error:
                raise
            # What is below holds addresses and SQL, perhaps with credentials: it does not go up.
            _log.debug("MLflow call failed: %s", without_credentials(error))
            raise translated from None


class ConnectionUser:
    """Calls of one kind of MLflow's objects, over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
