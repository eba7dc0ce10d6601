"""Telling people, and counting: what happened to a version, as notifiers and metrics see it.

A notifier finds the event as a plain mapping in its context, so a template may say
``{{ lifecycle.sentence }}``. A metric has tags with few values only: event, stage, gate, verdict.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier, Context

log = logging.getLogger(__name__)

#: The events that notifiers get.
EVENTS = ("promoted", "refused", "rolled_back", "approval_asked", "rejected")


def as_list(notifiers: Any) -> list[BaseNotifier]:
    """One notifier, several or none, as a list."""
    if notifiers is None:
        return []
    return list(notifiers) if isinstance(notifiers, Iterable) else [notifiers]


def build_event(name: str, sentence: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping that a notifier gets as ``lifecycle``: ``event``, ``sentence`` and ``fields``."""
    return {"event": name, "sentence": sentence, **fields}


def notify(
    context: Context, notifiers: Iterable[BaseNotifier], lifecycle: Mapping[str, Any]
) -> None:
    """Call each notifier with ``lifecycle`` in its context.

    The change is already made, so a notifier that fails is logged; the others are still called,
    and the task does not fail.
    """
    for notifier in notifiers:
        notifier_context: Any = {**context, "lifecycle": dict(lifecycle)}
        try:
            notifier(notifier_context)
        except Exception:
            log.exception("%s failed to notify: %s", type(notifier).__name__, lifecycle["sentence"])


def notify_once(
    context: Context, notifiers: Iterable[BaseNotifier], lifecycle: Mapping[str, Any], sequence: int
) -> None:
    """:func:`notify`, once for the ledger's entry, however often the task is tried."""
    if not notifiers:
        return
    key = f"notified-{lifecycle['event']}-{sequence}"
    store = context["task_state_store"]
    if store.get(key):
        return
    notify(context, notifiers, lifecycle)
    store.set(key, True)


def count(name: str, **tags: str) -> None:
    """Add one to Airflow's metric ``model_lifecycle.{name}``."""
    from airflow.sdk.observability import stats

    stats.incr(f"model_lifecycle.{name}", tags=tags)
