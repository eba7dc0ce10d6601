"""The shadow gate: the challenger replays the champion's recorded requests, block by block."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from model_lifecycle.registry.rules.errors import InvalidDataset, InvalidInput
from model_lifecycle.registry.rules.principals import Principal
from model_lifecycle.registry.rules.stages import Gate

from .claims import claims
from .looks import judge_blocks
from .policies import ShadowPolicy
from .ports import GateRegistry
from .recording import Case, conclude, open_case
from .replay import Day, Replay, block_name, fitting_edges, replay_batch
from .report import GateReport
from .shadow_checks import shadow_checks
from .tally import Tally
from .traffic import Partition, batches, parse_day, partitions, read_labels, read_partitions

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
    requests. Only some hours' requests (one, or 8 MB of small ones) and one day's labels are in
    memory at a time. ``progress`` is
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
    tally = await _replayed(registry, case, replay, hours, progress)
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
        block=policy.block,
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
    hours: Sequence[Partition],
    progress: Progress | None,
) -> Tally:
    """The tally of the whole window, one batch of hours after the other."""
    store, total, drawn = registry.artifacts, Tally(), replay
    blocks = list(dict.fromkeys(block_name(replay.block, item.hour) for item in hours))
    begun: set[str] = set()
    day, date = Day(), None
    for members in batches(hours):
        for name in dict.fromkeys(block_name(replay.block, item.hour) for item in members):
            if progress is not None and name not in begun:
                begun.add(name)
                progress(len(begun), len(blocks), name)
        if date != members[0].hour.date():
            date = members[0].hour.date()
            labels = await read_labels(store, case.tenant, case.model, members[0].hour)
            day = Day.of(labels)
        batch = await read_partitions(store, members)
        if drawn.edges is None:
            edges = await asyncio.to_thread(fitting_edges, replay, batch, day)
            drawn = replace(replay, edges=edges)
        total.absorb(await asyncio.to_thread(replay_batch, drawn, batch, day))
    return total


def _require_requests(case: Case, tally: Tally) -> None:
    if tally.counts["requests"] or tally.counts["immature"]:
        return
    answered = "" if case.baseline is None else f" answered by version {case.baseline}"
    raise InvalidDataset(
        f"the traffic holds {tally.counts['read']} requests, but none{answered} as champion; judge "
        "a window in which the production version served",
        field="traffic",
    )
