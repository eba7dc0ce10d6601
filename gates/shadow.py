"""The shadow gate: the challenger replays the champion's recorded requests, block by block."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby

from model_lifecycle.registry.rules.errors import InvalidDataset, InvalidInput
from model_lifecycle.registry.rules.principals import Principal
from model_lifecycle.registry.rules.stages import Gate

from .claims import claims
from .looks import judge_blocks
from .policies import ShadowPolicy
from .ports import GateRegistry
from .recording import Case, conclude, open_case
from .replay import Day, Replay, fitting_edges, replay_partition
from .report import GateReport
from .shadow_checks import shadow_checks
from .tally import Tally
from .traffic import Partition, parse_day, partitions, read_labels, read_partition

Progress = Callable[[int, int, str], None]


async def shadow_test_version(
    registry: GateRegistry,
    tenant_id: str,
    model_id: str,
    version: int,
    *,
    start: str,
    end: str,
    actor: Principal | str,
    evidence_id: str | None = None,
    progress: Progress | None = None,
) -> GateReport:
    """Judge a version on the recorded traffic of ``[start, end)`` and record the verdict.

    ``start`` and ``end`` are ISO dates or times, UTC. Compared is with the version in production
    now, on the requests it answered; with none, the policy's limits are judged on all recorded
    requests. Only one partition and one day's labels are in memory at a time. ``progress`` is
    called with (block, blocks, name) when a block starts. The same ``evidence_id`` again returns
    what was recorded.

    Raises InvalidDataset (nothing is recorded) when there is no traffic, or its columns do not
    match a model's signature; InvalidInput for a policy without a shadow section.
    """
    first, last = parse_day(start, "start"), parse_day(end, "end")
    if first >= last:
        raise InvalidInput(f"start {start} must be before end {end}", field="end")
    case = await open_case(
        registry, Gate.SHADOW, tenant_id, model_id, version, actor=actor, evidence_id=evidence_id
    )
    if isinstance(case, GateReport):
        return case
    policy = ShadowPolicy.from_document(case.policy.shadow)
    hours = await partitions(registry.artifacts, case.tenant, case.model, first, last)
    if not hours:
        raise InvalidDataset(
            f"there is no traffic of {case.model} between {start} and {end}", field="traffic"
        )
    replay = await _replay(registry, case, policy)
    tally = await _replayed(registry, case, replay, policy.block, hours, progress)
    _require_requests(case, tally)
    rows, shown = await asyncio.to_thread(judge_blocks, policy, replay.claims, tally)
    checks = shadow_checks(case, policy, replay.claims, tally, first, last)
    counts = {**tally.counts, "partitions": len(hours), "blocks": len(tally.blocks)}
    return await conclude(
        registry,
        case,
        policy.document(),
        rows,
        checks,
        counts=dict(sorted(counts.items())),
        reproduction={
            "start": first.isoformat(),
            "end": last.isoformat(),
            "mature_until": min(replay.mature_until, last).isoformat(),
            "partitions": [
                {"name": item.name, "digest": item.digest, "rows": item.rows}
                for item in tally.sources
            ],
        },
        detail={**shown, "distributions": tally.distributions.document()},
    )


async def _replay(registry: GateRegistry, case: Case, policy: ShadowPolicy) -> Replay:
    demands = claims(
        policy.comparisons, policy.limits, policy.slices, champion=case.champion is not None
    )
    case.require_model_type([claim.metric for claim in demands])
    challenger = await registry.load_model(case.tenant, case.model, version=case.version.version)
    champion = (
        await registry.load_model(case.tenant, case.model, version=case.champion.version)
        if case.champion
        else None
    )
    return Replay(
        claims=demands,
        challenger=challenger,
        champion=champion,
        production=case.baseline,
        mature_until=datetime.now(UTC) - timedelta(hours=policy.label_horizon_hours),
        model_type=case.model_type,
    )


async def _replayed(
    registry: GateRegistry,
    case: Case,
    replay: Replay,
    block: str,
    hours: Sequence[Partition],
    progress: Progress | None,
) -> Tally:
    """The tally of the whole window, one partition after the other."""
    store = registry.artifacts
    total, drawn = Tally(), replay
    blocks = list(_blocks(hours, block))
    day, labels = Day(), datetime.min.replace(tzinfo=UTC)
    for number, (name, members) in enumerate(blocks, start=1):
        if progress is not None:
            progress(number, len(blocks), name)
        for partition in members:
            date = partition.hour.replace(hour=0)
            if date != labels:
                labels = date
                day = Day.of(await read_labels(store, case.tenant, case.model, date))
            data = await read_partition(store, partition)
            if drawn.edges is None:
                edges = await asyncio.to_thread(fitting_edges, replay, data, day)
                drawn = replace(replay, edges=edges)
            total.absorb(
                await asyncio.to_thread(replay_partition, drawn, name, partition.name, data, day)
            )
    return total


def _blocks(hours: Sequence[Partition], block: str) -> Iterator[tuple[str, list[Partition]]]:
    form = "%Y-%m-%d" if block == "day" else "%Y-%m-%d %H:00"
    for name, members in groupby(hours, key=lambda item: item.hour.strftime(form)):
        yield name, list(members)


def _require_requests(case: Case, tally: Tally) -> None:
    if tally.counts["requests"] or tally.counts["immature"]:
        return
    answered = "" if case.baseline is None else f" answered by version {case.baseline}"
    raise InvalidDataset(
        f"the traffic holds {tally.counts['read']} requests, but none{answered} as champion; judge "
        "a window in which the production version served",
        field="traffic",
    )
