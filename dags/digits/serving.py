"""The sorting office of the example: it reads the digits of letters, and logs what it read."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from model_lifecycle.dags.digits.data import LABEL, PIXELS, load_part
from model_lifecycle.gates.data.traffic_writer import write_labels, write_traffic
from model_lifecycle.operators import ModelRegistryHook

if TYPE_CHECKING:
    from model_lifecycle.registry.model_registry import ModelRegistry

T = TypeVar("T")

TENANT = "demo"
MODEL = "digits"
#: Letters an hour: the requests of the example last sixty hours.
AN_HOUR = 10


def hold_out() -> str:
    """Put the pictures that no version learned from where the validation gate reads them."""
    return with_registry(publish_holdout)


def sort_letters(*, start: str) -> dict[str, Any]:
    """Read the letters that arrive from ``start`` on (ISO date, UTC) with the version in
    production, and log requests and labels. Returns the version and the number of letters."""
    return with_registry(lambda registry: sort(registry, start))


async def publish_holdout(registry: ModelRegistry) -> str:
    """The validation part as a Parquet file of the artifact store; its URI."""
    buffer = io.BytesIO()
    await asyncio.to_thread(load_part("validation").to_parquet, buffer, index=False)
    path = f"{TENANT}/datasets/{MODEL}/validation.parquet"
    await registry.artifacts.put_bytes(path, buffer.getvalue())
    return registry.artifacts.uri(path)


async def sort(registry: ModelRegistry, start: str) -> dict[str, Any]:
    """As :func:`sort_letters` says. Without a model every letter is read as a zero."""
    known = await registry.get_model(TENANT, MODEL)
    version = (known.production_version if known else None) or 0
    reader = await registry.load_model(TENANT, MODEL, version) if version else None
    letters = await asyncio.to_thread(load_part, "requests")
    read = await asyncio.to_thread(reader.predict, letters[PIXELS]) if reader else 0
    began = datetime.fromisoformat(start).replace(tzinfo=UTC)
    number = letters.index.to_series()
    letters = letters.assign(
        request_id=[f"letter-{at}" for at in number],
        requested_at=[began + timedelta(hours=at / AN_HOUR) for at in number],
        version=version,
        role="champion",
        prediction=read,
    )
    for hour, rows in letters.groupby(letters["requested_at"].dt.floor("h")):
        log = rows.drop(columns=LABEL)
        at = hour.to_pydatetime().astimezone(UTC)
        await write_traffic(registry.artifacts, TENANT, MODEL, at, log, part=version)
    # A person reads the letters that came back; here, all of them an hour later.
    labels = letters.assign(
        label=letters[LABEL], labelled_at=letters["requested_at"] + timedelta(hours=1)
    )
    for day, rows in labels.groupby(labels["requested_at"].dt.floor("D")):
        await write_labels(
            registry.artifacts,
            TENANT,
            MODEL,
            day.to_pydatetime().astimezone(UTC),
            rows[["request_id", "label", "labelled_at"]],
        )
    return {"version": version, "letters": len(letters)}


def with_registry(act: Callable[[ModelRegistry], Awaitable[T]]) -> T:
    """The result of ``act``, called with the registry of the Airflow connection."""
    return ModelRegistryHook().call_registry(act)
