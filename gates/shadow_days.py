"""One day of a shadow test: replayed, or what is missing of it, and its sums kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial

from .day_states import DayState, looks_of, read_state, write_state
from .pairing import Day
from .ports import GateRegistry
from .reading_ahead import one_ahead
from .replay import Replay, replay_batch
from .tally import Source, Tally
from .traffic import batches, labels_look, partitions, read_labels, read_partitions
from .traffic_plan import TrafficPlan

Starting = Callable[[datetime], None]


async def day_tally(
    registry: GateRegistry,
    plan: TrafficPlan,
    replay: Replay,
    day: str,
    *,
    horizon: bool,
    starting: Starting | None = None,
) -> Tally:
    """The day's sums. Hours that were replayed before, and whose files look as they did then, are
    not read again; nor are their labels, where a ``horizon`` said that they had come. While some
    are replayed, the next ones are read. ``starting`` is called with each hour that is replayed."""
    store, folder = registry.artifacts, plan.folder
    tenant, model = plan.tenant_id, plan.model_id
    first, last = plan.window
    begin = datetime.fromisoformat(day).replace(tzinfo=UTC)
    hours = await partitions(
        store, tenant, model, max(first, begin), min(last, begin + timedelta(days=1))
    )
    look = "" if horizon else await labels_look(store, tenant, model, begin)
    state = await read_state(store, folder, day)
    if state is None or not state.fits(plan.identity, look, hours):
        state = DayState(plan.identity, look, tally=Tally(identity=plan.identity))
    missing = state.missing(hours)
    if not missing:
        return state.tally
    # Two threads and no more: each that works on a batch keeps memory of its own afterwards.
    with ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as replaying:
        labels = await read_labels(store, tenant, model, begin, thread=reading)
        known = Day.of(labels, state.seen)
        if labels is not None:
            state.tally.labels.add(Source(f"labels of {day}", labels.digest, len(labels.frame)))
        reader = partial(read_partitions, store, thread=reading)
        loop = asyncio.get_running_loop()
        async with aclosing(one_ahead(batches(missing), reader)) as read:
            async for members, batch in read:
                if starting is not None:
                    for hour in members:
                        starting(hour.hour)
                state.tally.absorb(
                    await loop.run_in_executor(replaying, replay_batch, replay, batch, known)
                )
                state.covered.update({hour.name: looks_of(hour) for hour in members})
                state.seen = known.seen
                large = sum(hour.size for hour in members) > _WORTH_KEEPING
                if large and members[-1] is not missing[-1]:
                    await write_state(store, folder, day, state)
    await write_state(store, folder, day, state)
    return state.tally


#: Sums are kept within a day after so many bytes read.
_WORTH_KEEPING = 4 * 2**20
