"""The A/B gate: champion and challenger each answer a share of live traffic, and outcomes tell.

A unit (a user) stays in its arm; assignment is by hash (:mod:`.assignment`). The per-unit sums of
the window are in memory, requests some hours at a time.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from model_lifecycle.registry.rules.errors import InvalidDataset, InvalidInput
from model_lifecycle.registry.rules.principals import Principal
from model_lifecycle.registry.rules.stages import Gate

from .ab_judging import arm_checks, judge_arms
from .ab_units import ARMS, Units, add_batch, exposure
from .attempts import attempts_on_window
from .pairing import Day
from .policies import ABPolicy
from .ports import GateRegistry
from .recording import conclude, open_case
from .report import Check, GateReport, MetricRow
from .traffic import batches, parse_day, partitions, read_labels, read_partitions


async def ab_test_version(
    registry: GateRegistry,
    tenant_id: str,
    model_id: str,
    version: int,
    *,
    start: str,
    end: str,
    actor: Principal | str,
    evidence_id: str | None = None,
) -> GateReport:
    """Judge a version by the outcomes of ``[start, end)`` and record the verdict.

    Requests of the version in production with the role ``champion``, and of this version with the
    role ``challenger``, are compared by the policy's section ``ab_test``. The same ``evidence_id``
    again returns what was recorded.

    Raises InvalidInput without a champion or such a section, InvalidDataset without traffic of
    both versions or without a column that the policy names; nothing is recorded then.
    """
    case = await open_case(
        registry, Gate.AB_TEST, tenant_id, model_id, version, actor=actor, evidence_id=evidence_id
    )
    if isinstance(case, GateReport):
        return case
    policy = ABPolicy.from_document(case.policy.ab_test)
    first, last = parse_day(start, "start"), parse_day(end, "end")
    if first >= last:
        raise InvalidInput(f"start {start} must be before end {end}", field="end")
    if case.champion is None:
        raise InvalidInput(
            "an A/B test compares with the version in production, and there is none",
            field="policy.ab_test",
        )
    versions = dict(zip(ARMS, (case.champion.version, case.version.version), strict=True))
    mature_until = datetime.now(UTC) - timedelta(hours=policy.label_horizon_hours)
    store, units = registry.artifacts, Units()
    day, known, sources = None, Day(), []
    hours = await partitions(store, case.tenant, case.model, first, last)
    for members in batches(hours):
        if day != members[0].hour.date():
            day = members[0].hour.date()
            known = Day.of(await read_labels(store, case.tenant, case.model, members[0].hour))
        batch = await read_partitions(store, members)
        await asyncio.to_thread(add_batch, units, policy, batch, known, versions, mature_until)
        sources += [{"name": h.name, "digest": h.digest, "rows": h.rows} for h in batch.hours]
    if not units.counts["requests"]:
        raise InvalidDataset(
            f"there is no traffic of versions {versions['champion']} and {versions['challenger']} "
            f"of {case.model} between {start} and {end}",
            field="traffic",
        )
    looks = await asyncio.to_thread(units.looks, policy)
    rows, shown = judge_arms(policy, looks)
    window = (first.isoformat(), last.isoformat())
    attempts = await attempts_on_window(registry, case, *window)
    arms = {f"{who}_units": looks[-1][who]["units"] for who in ARMS}
    return await conclude(
        registry,
        replace(case, attempts=max(case.attempts, attempts)),
        policy.document(),
        rows,
        arm_checks(policy, looks, units.counts),
        counts={**dict(sorted(units.counts.items())), **arms, "days": len(looks)},
        reproduction={
            "start": window[0],
            "end": window[1],
            "mature_until": min(mature_until, last).isoformat(),
            "partitions": sources,
        },
        detail={
            "looks": shown,
            "exposure": await asyncio.to_thread(exposure, units, policy),
            "sums": {"looks": looks, "counts": dict(sorted(units.counts.items()))},
        },
    )


def recomputed_rows(report: GateReport) -> tuple[tuple[MetricRow, ...], tuple[Check, ...]]:
    """Rows and checks from the sums in the report."""
    policy = ABPolicy.from_document(report.policy)
    sums = report.detail["sums"]
    rows, _ = judge_arms(policy, sums["looks"])
    seen = [check for check in report.checks if check.name == "champion unchanged"]
    return rows, (*arm_checks(policy, sums["looks"], sums["counts"]), *seen)
