"""The functions that the tasks of the flight DAGs call. They open the registry themselves."""

from __future__ import annotations

import logging
from typing import Any

from model_lifecycle.operators import ModelRegistryHook

TENANT = "demo"
MODEL = "flight-delay"

_log = logging.getLogger(__name__)


def hold_out(*, start: str, end: str) -> str:
    """Put the labelled flights of a window where the validation gate reads them."""
    from model_lifecycle.dags.flights.serving import publish_holdout

    return ModelRegistryHook().call_registry(
        lambda registry: publish_holdout(registry, TENANT, MODEL, start, end)
    )


def answer_requests(*, start: str, end: str) -> dict[str, Any]:
    """Serve a window's flights with the version in production, and log requests and labels.
    Returns the numbers of what was written."""
    from model_lifecycle.dags.flights.serving import serve

    def report_progress(day: int, days: int, date: str) -> None:
        _log.info("Day %d of %d: %s", day, days, date)

    served = ModelRegistryHook().call_registry(
        lambda registry: serve(registry, TENANT, MODEL, start, end, report_progress)
    )
    return served.document()


def answer_unrecorded_requests(*, start: str, end: str) -> dict[str, Any] | None:
    """:func:`answer_requests`, unless the window has traffic already."""
    from model_lifecycle.gates.data.traffic import parse_day, partitions

    window = (parse_day(start, "start"), parse_day(end, "end"))
    recorded = ModelRegistryHook().call_registry(
        lambda registry: partitions(registry.artifacts, TENANT, MODEL, *window)
    )
    if recorded:
        _log.info("There is traffic from %s to %s already", start, end)
        return None
    return answer_requests(start=start, end=end)
