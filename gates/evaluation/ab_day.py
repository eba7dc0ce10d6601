"""One day of an A/B test: its requests as sums of units, stored so that no hour is read twice."""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pandas as pd

from model_lifecycle.registry.domain.errors import ArtifactNotFound

from ..aggregates.arms import ArmAggregate, batch_units
from ..aggregates.replay import Source
from ..data.pairing import Day
from ..data.prefetch import prefetch_next
from ..data.traffic import batches, labels_look, read_labels, read_partitions
from ..policy.promotion import ABPolicy
from ..protocols import ArtifactFiles
from .checkpoints import Coverage, covered_hours, packed, unpacked
from .plan import TrafficPlan


@dataclass
class UnitDay(Coverage):
    """A day's units, and which hours they are from."""

    units: ArmAggregate = field(default_factory=ArmAggregate)


async def sum_day(
    store: ArtifactFiles, plan: TrafficPlan, policy: ABPolicy, versions: Mapping[str, int], day: str
) -> ArmAggregate:
    """The day's units. Hours that were read before are not read again unless one of their files,
    or a label of their requests where labels are outcomes, has changed since."""
    begin = datetime.fromisoformat(day).replace(tzinfo=UTC)
    hours = await plan.day_hours(store, day)
    revision = ""
    if policy.needs_labels:
        revision = await labels_look(store, plan.tenant_id, plan.model_id, begin)
    state = await _read(store, plan.folder, day)
    if state is None or not await state.fits(store, plan, hours):
        state = UnitDay(plan.identity)
    if state.labels == revision and not state.missing(hours):
        return _with_left_out(state)
    labels = None
    if policy.needs_labels:
        labels = await read_labels(store, plan.tenant_id, plan.model_id, begin)
    known = Day.of(labels, state.request_keys)
    if known.labels_digest() != state.labels_digest:
        state = UnitDay(plan.identity)
        known = Day.of(labels)
    mature_until = datetime.fromisoformat(plan.mature_until)
    reader = partial(read_partitions, store, ids=(policy.unit,))
    async with aclosing(prefetch_next(batches(state.missing(hours)), reader)) as read:
        async for members, batch in read:
            state.units.merge(
                await asyncio.to_thread(batch_units, policy, batch, known, versions, mature_until)
            )
            state.cover(plan, members, batch.hours)
    state.request_keys = known.request_keys
    state.note_labels(revision, known, labels)
    await _write(store, plan.folder, day, state)
    return _with_left_out(state)


def _with_left_out(state: UnitDay) -> ArmAggregate:
    """The units with the counts of the label files, which are read completely at each look."""
    state.units.counts.update(state.left_out)
    return state.units


async def _read(store: ArtifactFiles, folder: str, day: str) -> UnitDay | None:
    try:
        document = json.loads(await store.get_bytes(f"{folder}/sums/{day}.json"))
        request_keys = unpacked(await store.get_bytes(f"{folder}/sums/{day}.npy"))
        sums = await store.get_bytes(f"{folder}/sums/{day}.parquet")
        return _state(document, request_keys, pd.read_parquet(io.BytesIO(sums)))
    except (ArtifactNotFound, ValueError, KeyError, TypeError, EOFError, OSError):
        return None


async def _write(store: ArtifactFiles, folder: str, day: str, state: UnitDay) -> None:
    """Write the document last: it states how much the other files must contain."""
    buffer = io.BytesIO()
    summed = state.units.days[day]
    summed.reset_index().to_parquet(buffer, index=False)
    await store.put_bytes(f"{folder}/sums/{day}.npy", packed(state.request_keys))
    await store.put_bytes(f"{folder}/sums/{day}.parquet", buffer.getvalue())
    document = {
        **state.coverage_document(),
        "day": day,
        "units": len(summed),
        "total": [int(value) for value in summed.sum()],
        "counts": dict(state.units.counts),
        "sources": [asdict(source) for source in state.units.sources],
    }
    content = json.dumps(document, allow_nan=False).encode()
    await store.put_bytes(f"{folder}/sums/{day}.json", content)


def _state(document: Mapping[str, Any], request_keys: Any, rows: pd.DataFrame) -> UnitDay | None:
    summed = rows.set_index(["arm", "unit"])
    totals = [int(value) for value in summed.sum()]
    if (request_keys.size, len(summed), totals) != (
        document["seen"],
        document["units"],
        document["total"],
    ):
        return None
    units = ArmAggregate(
        {document["day"]: summed},
        Counter(document["counts"]),
        [Source(**source) for source in document["sources"]],
    )
    return UnitDay(
        document["identity"],
        document["labels"],
        covered_hours(document),
        request_keys,
        document["labels_digest"],
        dict(document["left_out"]),
        units,
    )
