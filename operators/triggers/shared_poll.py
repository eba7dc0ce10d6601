"""One question to the ledger for all who wait.

A triggerer runs thousands of triggers on one event loop. Those with the same connection and the
same interval share a poll: one query each interval tells for every model that somebody waits for
whether its ledger has grown, and a second one, only then, reads the versions of those that have.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

from model_lifecycle.registry.domain.errors import BackendUnavailable

from ..hooks.model_registry import ModelRegistryHook

if TYPE_CHECKING:
    from model_lifecycle.registry.domain.models import VersionMetadata
    from model_lifecycle.registry.model_registry import ModelRegistry

log = logging.getLogger(__name__)

Opening = Callable[[], AbstractAsyncContextManager["ModelRegistry"]]
PollResult: TypeAlias = "list[VersionMetadata] | Exception"


class SharedPoll:
    """Asks every ``interval`` seconds, as long as anybody waits.

    A store that does not answer is asked again, over a new connection; any other error ends the
    wait of all.
    """

    def __init__(self, opening: Opening, interval: float) -> None:
        self._opening = opening
        self._interval = interval
        self._waiting: dict[tuple[str, str], list[asyncio.Queue[PollResult]]] = {}
        self._epochs: dict[tuple[str, str], int | None] = {}
        self._task: asyncio.Task[None] | None = None

    async def versions(
        self, tenant_id: str, model_id: str
    ) -> AsyncGenerator[list[VersionMetadata], None]:
        """The model's versions: first as they are, then again whenever something has changed.

        None of them, as long as the model does not exist. Close it when you have waited enough.
        """
        subject = (tenant_id, model_id)
        queue: asyncio.Queue[PollResult] = asyncio.Queue()
        self._waiting.setdefault(subject, []).append(queue)
        self._epochs.pop(subject, None)
        if self._task is None or self._task.done():
            # In a context of its own: what it logs is not of the trigger that came first.
            self._task = asyncio.create_task(self._ask(), context=contextvars.Context())
        try:
            while True:
                answer = await queue.get()
                if isinstance(answer, Exception):
                    raise answer
                yield answer
        finally:
            self._leave(subject, queue)

    def _leave(self, subject: tuple[str, str], queue: asyncio.Queue[PollResult]) -> None:
        others = self._waiting[subject]
        others.remove(queue)
        if not others:
            del self._waiting[subject]
            self._epochs.pop(subject, None)
        if not self._waiting and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _ask(self) -> None:
        while True:
            try:
                async with self._opening() as registry:
                    while True:
                        await self._look(registry)
                        await asyncio.sleep(self._interval)
            except BackendUnavailable as error:
                log.warning("%s; asking again in %g s", error, self._interval)
                await asyncio.sleep(self._interval)
            except Exception as error:
                for waiting in self._waiting.values():
                    for queue in waiting:
                        queue.put_nowait(error)
                return

    async def _look(self, registry: ModelRegistry) -> None:
        subjects = list(self._waiting)
        epochs = await registry.epochs(subjects)
        news = [item for item in subjects if self._epochs.get(item, -1) != epochs.get(item)]
        if not news:
            return
        versions = await registry.versions_of(news)
        for subject in news:
            self._epochs[subject] = epochs.get(subject)
            for queue in self._waiting.get(subject, ()):
                queue.put_nowait(versions.get(subject, []))


#: The polls of each event loop: a triggerer has one, tests have many.
_POLLS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, float], SharedPoll]] = (
    WeakKeyDictionary()
)


def shared_poll(model_registry_conn_id: str, interval: float) -> SharedPoll:
    """The poll that all triggers of this process with this connection and interval share."""
    polls = _POLLS.setdefault(asyncio.get_running_loop(), {})
    key = (model_registry_conn_id, interval)
    if key not in polls:
        polls[key] = SharedPoll(lambda: registry_of(model_registry_conn_id), interval)
    return polls[key]


@asynccontextmanager
async def registry_of(model_registry_conn_id: str) -> AsyncIterator[ModelRegistry]:
    """The registry of an Airflow connection, for triggers: nothing in it blocks the loop."""
    opening = await asyncio.to_thread(import_module, "model_lifecycle.registry.factory")
    settings = await ModelRegistryHook(model_registry_conn_id).acomplete_settings()
    async with opening.open_registry(settings) as registry:
        yield registry
