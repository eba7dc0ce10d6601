"""Versions that somebody registered elsewhere, as events that start DAGs.

``schedule=[external_registration_asset("acme", "churn")]`` starts a DAG when a version of the
model is registered by the API, the command line or Python, or adopted from MLflow by
``reconcile``.
Versions that Airflow's own tasks register have ``stage_asset(…, "development")``.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetWatcher
from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

from model_lifecycle.registry.domain import identifiers
from model_lifecycle.registry.domain.errors import BackendUnavailable

from ..hooks.model_registry import ModelRegistryHook
from ..runtime.assets import SCHEME
from .model import RegistryTrigger
from .shared_poll import registry_of

if TYPE_CHECKING:
    from model_lifecycle.registry.domain.models import LedgerEntry
    from model_lifecycle.registry.model_registry import ModelRegistry

log = logging.getLogger(__name__)

_MARK = "sequence"
_KINDS = frozenset({"registered", "adopted"})
#: Models that are watched in this process, by connection and interval, and how often.
_WATCHED: dict[Hashable, Counter[tuple[str, str]]] = {}


def external_registration_asset(
    tenant_id: str,
    model_id: str,
    *,
    model_registry_conn_id: str = ModelRegistryHook.default_conn_name,
    poll_interval: float = 60,
) -> Asset:
    """The asset that changes when a version of the model is registered outside Airflow's tasks.

    The event's ``extra["payload"]`` holds ``tenant_id``, ``model_id``, ``version``, ``actor``,
    ``at`` and ``sequence`` (of the ledger entry). Versions that were registered before the first
    poll cause no event; those registered while no triggerer runs cause theirs when one starts.
    Raises :class:`InvalidName`.
    """
    tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
    name = f"{tenant}/{model}/registered-elsewhere"
    trigger = ExternalRegistrationTrigger(
        tenant_id=tenant,
        model_id=model,
        model_registry_conn_id=model_registry_conn_id,
        poll_interval=poll_interval,
    )
    return Asset(
        name=name,
        uri=f"{SCHEME}://{name}",
        group="model",
        watchers=[AssetWatcher(name=f"{name}-watcher", trigger=trigger)],
    )


class ExternalRegistrationTrigger(RegistryTrigger, BaseEventTrigger):
    """Fires for each version that is registered outside Airflow's tasks.

    All such triggers of a triggerer with the same connection and interval share one poll. How far
    the ledger was read is kept in the asset's state store once Airflow has stored the events, so a
    restart goes on from there. If the triggerer dies between the two, within about a second, the
    event is sent twice, with the same ``sequence``.
    """

    def shared_stream_key(self) -> tuple[str, str, float]:
        return "model-lifecycle-ledger", self.model_registry_conn_id, self.poll_interval

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> LedgerPoll:
        return LedgerPoll(cls(**kwargs))

    async def filter_shared_stream(
        self, shared_stream: AsyncIterator[PollSnapshot]
    ) -> AsyncIterator[TriggerEvent]:
        subject = (self.tenant_id, self.model_id)
        store = self.asset_state_store
        stored = await store.aget(_MARK) if store else None
        mark = stored if isinstance(stored, int) else None
        with _watching(self.shared_stream_key(), subject):
            async for look in shared_stream:
                if subject not in look.subjects:
                    continue
                if mark is None:
                    mark = look.epochs.get(subject, 0)
                    look.marks.append((store, mark))
                if look.epochs.get(subject, 0) <= mark:
                    continue
                entries = await look.entries(subject, mark)
                for entry in entries:
                    if _is_new_registration(entry):
                        yield _event(entry)
                    mark = entry.sequence
                look.marks.append((store, mark))

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """The same without Airflow's shared streams: with a poll of its own."""

        async def stream() -> AsyncIterator[PollSnapshot]:
            async for look, _ in LedgerPoll(self).open_stream():
                yield look
                await look.keep_marks()

        async for event in self.filter_shared_stream(stream()):
            yield event


@dataclass
class PollSnapshot:
    """The epochs of ``subjects``, the watched models, at one poll.

    ``marks`` say how far each watcher has read; they are stored once its events are.
    """

    registry: ModelRegistry
    subjects: frozenset[tuple[str, str]]
    epochs: dict[tuple[str, str], int]
    marks: list[tuple[Any, int]] = field(default_factory=list)

    async def entries(self, subject: tuple[str, str], after: int) -> list[LedgerEntry]:
        """Newer entries of the model; none while the ledger is unavailable."""
        try:
            return await self.registry.history(*subject, after=after)
        except BackendUnavailable as error:
            log.warning("%s; asking again", error)
            return []

    async def keep_marks(self) -> None:
        for store, mark in self.marks:
            if store is not None:
                await store.aset(_MARK, mark)


class LedgerPoll(SharedStreamProducer):
    """The one poll of all watchers with this connection and interval."""

    def __init__(self, trigger: ExternalRegistrationTrigger) -> None:
        self._key = trigger.shared_stream_key()
        self._conn_id = trigger.model_registry_conn_id
        self._interval = trigger.poll_interval

    async def open_stream(self) -> AsyncIterator[tuple[PollSnapshot, PollSnapshot]]:
        while True:
            try:
                async with registry_of(self._conn_id) as registry:
                    while True:
                        watched = frozenset(_WATCHED.get(self._key, ()))
                        look = PollSnapshot(registry, watched, await registry.epochs(watched))
                        yield look, look
                        await asyncio.sleep(self._interval)
            except BackendUnavailable as error:
                log.warning("%s; asking again in %g s", error, self._interval)
                await asyncio.sleep(self._interval)

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Airflow has stored the events of these looks: what was read need not be read again."""
        for item in batch:
            if item.outcome.is_clean:
                await item.broker_payload.keep_marks()


@contextmanager
def _watching(key: Hashable, subject: tuple[str, str]) -> Iterator[None]:
    watched = _WATCHED.setdefault(key, Counter())
    watched[subject] += 1
    try:
        yield
    finally:
        watched[subject] -= 1
        if watched[subject] == 0:
            del watched[subject]


def _is_new_registration(entry: LedgerEntry) -> bool:
    return entry.kind in _KINDS and not entry.actor.startswith("airflow:")


def _event(entry: LedgerEntry) -> TriggerEvent:
    payload = {
        "tenant_id": entry.tenant_id,
        "model_id": entry.model_id,
        "version": entry.moves[0].version,
        "actor": entry.actor,
        "at": entry.at.isoformat(),
        "sequence": entry.sequence,
    }
    return TriggerEvent(payload)
