"""One day of a shadow test: replay the hours that are missing from its stored sums."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial

from ..aggregates.replay import ReplayAggregate, Source
from ..data.pairing import Day
from ..data.prefetch import prefetch_next
from ..data.traffic import batches, labels_look, read_labels, read_partitions
from ..protocols import ArtifactFiles
from .checkpoints import DayState, read_state, write_state
from .plan import TrafficPlan
from .replay import Replay
from .replay_batch import replay_batch

Starting = Callable[[datetime], None]


async def sum_day(
    store: ArtifactFiles,
    plan: TrafficPlan,
    replay: Replay,
    day: str,
    *,
    starting: Starting | None = None,
    operation_id: str | None = None,
) -> ReplayAggregate:
    """The day's sums. Hours that were replayed before are not read again unless one of their files,
    or a label of their requests, has changed since: then the day is replayed again, so that the
    sums are those of the files as they are. While some hours are replayed, the next ones are read.
    ``starting`` is called with each hour that is replayed. With an ``operation_id``, only sums that
    this operation began are used again."""
    folder = plan.folder
    begin = datetime.fromisoformat(day).replace(tzinfo=UTC)
    hours = await plan.day_hours(store, day)
    revision = await labels_look(store, plan.tenant_id, plan.model_id, begin)
    state = await read_state(store, folder, day)
    foreign = state is not None and operation_id not in (None, state.operation_id)
    if state is None or foreign or not await state.fits(store, plan, hours):
        state = _nothing_yet(plan, operation_id)
    if state.labels == revision and not state.missing(hours):
        return _with_left_out(state)
    # Two threads and no more: each that works on a batch keeps memory of its own afterwards.
    with ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as replaying:
        labels = await read_labels(store, plan.tenant_id, plan.model_id, begin, thread=reading)
        known = Day.of(labels, state.request_keys)
        if known.labels_digest() != state.labels_digest:
            state = _nothing_yet(plan, operation_id)
            known = Day.of(labels)
        if labels is not None:
            state.aggregate.labels = {Source(f"labels of {day}", labels.digest, len(labels.frame))}
        missing = state.missing(hours)
        ids = () if replay.cluster is None else (replay.cluster,)
        reader = partial(read_partitions, store, ids=ids, thread=reading)
        loop = asyncio.get_running_loop()
        async with aclosing(prefetch_next(batches(missing), reader)) as read:
            async for members, batch in read:
                if starting is not None:
                    for hour in members:
                        starting(hour.hour)
                state.aggregate.merge(
                    await loop.run_in_executor(replaying, replay_batch, replay, batch, known)
                )
                state.cover(plan, members, batch.hours)
                state.request_keys = known.request_keys
                large = sum(hour.size for hour in members) > _WORTH_KEEPING
                if large and members[-1] is not missing[-1]:
                    state.note_labels(revision, known, labels)
                    await write_state(store, folder, day, state)
    state.note_labels(revision, known, labels)
    await write_state(store, folder, day, state)
    return _with_left_out(state)


def _nothing_yet(plan: TrafficPlan, operation_id: str | None) -> DayState:
    aggregate = ReplayAggregate(identity=plan.identity)
    return DayState(plan.identity, aggregate=aggregate, operation_id=operation_id)


def _with_left_out(state: DayState) -> ReplayAggregate:
    """The sums with the counts of the label files, which are read completely at each look."""
    state.aggregate.counts.update(state.left_out)
    return state.aggregate


#: Sums are stored within a day after this many bytes of requests.
_WORTH_KEEPING = 4 * 2**20
