"""What the tasks of the flight DAGs call: plain functions that find the registry themselves."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from model_lifecycle.operators import ModelRegistryHook

if TYPE_CHECKING:
    pass

T = TypeVar("T")

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

    def told(day: int, days: int, date: str) -> None:
        _log.info("Day %d of %d: %s", day, days, date)

    served = ModelRegistryHook().call_registry(
        lambda registry: serve(registry, TENANT, MODEL, start, end, told)
    )
    return served.document()
