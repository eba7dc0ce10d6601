"""The airline's side of the example: a serving system that answers requests and writes its log.

It asks the registry which version is in production, answers each flight's request when the flight
is due to leave, and writes requests and, hours later, labels into the traffic layout, from which
the shadow gate replays them.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from model_lifecycle.dags.flights.data import load_flights, load_labelled
from model_lifecycle.dags.flights.features import FEATURES, LABEL
from model_lifecycle.gates.data.traffic_writer import write_labels, write_traffic

if TYPE_CHECKING:
    import pandas as pd

    from model_lifecycle.registry import Predictor
    from model_lifecycle.registry.model_registry import ModelRegistry

#: What answered before there was a model: the rule that every flight is on time.
RULE_OF_THUMB = 0


@dataclass(frozen=True)
class Served:
    """The traffic that one window of serving wrote. ``version`` is 0 without a production model."""

    version: int
    requests: int
    hours: int
    labels: int

    def document(self) -> dict[str, Any]:
        return asdict(self)


async def serve(
    registry: ModelRegistry,
    tenant_id: str,
    model_id: str,
    start: str,
    end: str,
    progress: Callable[[int, int, str], None] | None = None,
) -> Served:
    """Answer the requests of all flights from ``start`` to before ``end`` (ISO dates, UTC) with
    the version in production now, and log them with their labels.

    Every feature is logged, also those that this version does not use: a later one may. Serving a
    window again with the same version replaces its own log; each version has its own part.
    ``progress`` is called after each day with its number, the number of days, and its date.
    """
    model = await registry.get_model(tenant_id, model_id)
    version = (model.production_version if model else None) or RULE_OF_THUMB
    predictor = None
    if version != RULE_OF_THUMB:
        predictor = await registry.load_model(tenant_id, model_id, version)
    flights = await asyncio.to_thread(load_flights, start, end)
    days = list(flights.groupby(flights["requested_at"].dt.floor("D")))
    hours = labels = 0
    for number, (midnight, frame) in enumerate(days, start=1):
        day = midnight.to_pydatetime().astimezone(UTC)
        log = await asyncio.to_thread(_answer, predictor, version, frame)
        for hour, rows in log.groupby(log["requested_at"].dt.floor("h")):
            at = hour.to_pydatetime().astimezone(UTC)
            await write_traffic(registry.artifacts, tenant_id, model_id, at, rows, part=version)
            hours += 1
        labels += await _label(registry, tenant_id, model_id, day, frame)
        if progress:
            progress(number, len(days), f"{day:%Y-%m-%d}")
    return Served(version=version, requests=len(flights), hours=hours, labels=labels)


async def publish_holdout(
    registry: ModelRegistry, tenant_id: str, model_id: str, start: str, end: str
) -> str:
    """Write the labelled flights of a window that no model saw in training to the artifact store,
    for the validation gate: features, ``late`` and ``requested_at``. Returns the file's URI."""
    frame = await asyncio.to_thread(load_labelled, start, end)
    buffer = io.BytesIO()
    columns = ["request_id", "requested_at", *FEATURES, LABEL]
    await asyncio.to_thread(frame[columns].to_parquet, buffer, index=False)
    path = f"{tenant_id}/datasets/{model_id}/flights-{start}-{end}.parquet"
    await registry.artifacts.put_bytes(path, buffer.getvalue())
    return registry.artifacts.uri(path)


def _answer(predictor: Predictor | None, version: int, flights: pd.DataFrame) -> pd.DataFrame:
    """One row a request, as the serving system logs it. A day's requests are answered in one call,
    and each of them waited for all of it: that is its latency."""
    log = flights[["request_id", "requested_at", *FEATURES]].assign(version=version)
    log = log.assign(role="champion")
    if predictor is None:
        return log.assign(prediction=0)
    features = flights[[column.name for column in predictor.columns or ()]]
    began = time.perf_counter()
    prediction, score = predictor.predict(features), predictor.scores(features)
    latency = (time.perf_counter() - began) * 1000
    return log.assign(prediction=prediction, score=score, latency_ms=latency)


async def _label(
    registry: ModelRegistry, tenant_id: str, model_id: str, day: datetime, flights: pd.DataFrame
) -> int:
    known = flights[flights[LABEL].notna()]
    labels = known[["request_id", "labelled_at"]].assign(label=known[LABEL].astype("int64"))
    await write_labels(registry.artifacts, tenant_id, model_id, day, labels)
    return len(labels)
