"""Recompute a verdict from its report, to verify that the report agrees with its own numbers.

The verdict of every gate follows from sums in its report: of blocks, of arms, of held-out rows.
Partitions of traffic that can still be read must have the digests that the report states. The data
checks of a validation are taken as recorded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from model_lifecycle.registry.domain.errors import InvalidInput, RegistryError
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.stages import Gate

from ..aggregates.holdout import HoldoutSummary
from ..aggregates.replay import ReplayAggregate
from ..checks.common import RECORDED_CHECKS
from ..checks.dependence import dependence_checks
from ..checks.traffic import Window, shadow_checks
from ..checks.unlabelled import with_worst_check
from ..data.traffic import parse_day, partitions, read_partition
from ..inference.decision import combine, deciding_sentence
from ..inference.fixed_sample import judge_rows
from ..inference.sequential import judge_blocks
from ..policy.hypotheses import of_classes, policy_hypotheses
from ..policy.promotion import ShadowPolicy, ValidationPolicy
from ..protocols import ArtifactFiles
from ..report import Check, GateReport, MetricRow


@dataclass(frozen=True)
class Recomputed:
    """``differences`` in words, none where the report agrees. ``digests_read`` of
    ``digests_stated`` partitions or files could be reached and were compared."""

    recorded: Verdict
    verdict: Verdict
    sentence: str
    differences: tuple[str, ...]
    digests_read: int = 0
    digests_stated: int = 0

    @property
    def agrees(self) -> bool:
        return not self.differences

    def document(self) -> dict[str, Any]:
        return {
            "agrees": self.agrees,
            "recorded": self.recorded.value,
            "recomputed": self.verdict.value,
            "sentence": self.sentence,
            "differences": list(self.differences),
            "digests_read": self.digests_read,
            "digests_stated": self.digests_stated,
        }


def recompute(document: Mapping[str, Any]) -> Recomputed:
    """The verdict from the report alone. Raises :class:`InvalidInput` for other documents."""
    try:
        report = GateReport.from_document(document)
        rows, checks = report.metrics, report.checks
        if report.gate is Gate.SHADOW and "sums" in report.detail:
            rows, checks = _shadow(report)
        elif report.gate is Gate.AB_TEST and "sums" in report.detail:
            from .ab_test import recomputed_rows

            rows, checks = recomputed_rows(report)
        elif report.gate is Gate.VALIDATION and "sums" in report.detail:
            rows = _validation(report)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, RegistryError):
            raise
        raise InvalidInput(
            f"the document is no report of a gate, or one of another release: {error!s:.200}; pass "
            "the content of its report.json",
            field="report",
        ) from error
    verdict = combine(rows, checks)
    sentence = deciding_sentence(verdict, tuple(rows), tuple(checks))
    differences: list[str] = []
    if verdict is not report.verdict:
        differences.append(f"the report states {report.verdict}, its numbers give {verdict}")
    if sentence != report.sentence:
        differences.append(f"its numbers give the sentence: {sentence}")
    differences += _rows(report.metrics, rows)
    differences += _checks(report.checks, checks)
    return Recomputed(report.verdict, verdict, sentence, tuple(differences))


async def compare_digests(
    store: ArtifactFiles, document: Mapping[str, Any]
) -> tuple[int, int, list[str]]:
    """How many of the report's partitions could be read, how many it names, and which differ."""
    stated = {
        item["name"]: item["digest"] for item in document["reproduction"].get("partitions", ())
    }
    if not stated:
        return 0, 0, []
    hours = await partitions(
        store,
        document["tenant_id"],
        document["model_id"],
        parse_day(document["reproduction"]["start"], "start"),
        parse_day(document["reproduction"]["end"], "end"),
    )
    read, problems = 0, []
    for hour in hours:
        if hour.name in stated:
            read += 1
            if (await read_partition(store, hour)).digest != stated[hour.name]:
                problems.append(
                    f"the traffic of {hour.name} differs from the traffic that was judged"
                )
        else:
            problems.append(f"there is traffic of {hour.name} that was not judged")
    return read, len(stated), problems


def _shadow(report: GateReport) -> tuple[tuple[MetricRow, ...], tuple[Check, ...]]:
    policy = ShadowPolicy.from_document(report.policy)
    inputs = report.reproduction
    aggregate = ReplayAggregate.from_document(report.detail["sums"])
    if aggregate.identity != inputs["identity"]:
        raise ValueError("its sums are of another policy or model")
    compared = report.baseline is not None
    demands = policy_hypotheses(policy.comparisons, policy.limits, policy.slices, champion=compared)
    rows, _ = judge_blocks(policy, demands, aggregate, with_champion=compared)
    window = Window(
        datetime.fromisoformat(inputs["start"]),
        datetime.fromisoformat(inputs["end"]),
        datetime.fromisoformat(inputs["judged_at"]),
    )
    checks = with_worst_check(
        (
            *shadow_checks(policy, demands, aggregate, window, inputs["training_ends"]),
            *dependence_checks(policy, demands, aggregate, rows),
        ),
        policy,
        demands,
        rows,
        aggregate.unlabelled,
    )
    recorded = [check for check in report.checks if check.name in RECORDED_CHECKS]
    return rows, (*checks, *recorded)


def _validation(report: GateReport) -> tuple[MetricRow, ...]:
    """Rows from their sums; those that decide nothing stay as they are."""
    policy = ValidationPolicy.from_document(report.policy)
    demands = policy_hypotheses(
        policy.comparisons, policy.limits, policy.slices, champion=report.baseline is not None
    )
    demands = of_classes(demands, int(report.detail.get("class_count", 2)))
    sums = [HoldoutSummary(**item) for item in report.detail["sums"]]
    return (
        *judge_rows(policy, demands, sums),
        *(row for row in report.metrics if row.kind == "shown"),
    )


def _rows(recorded: Sequence[MetricRow], again: Sequence[MetricRow]) -> list[str]:
    if len(recorded) != len(again):
        return [f"the report has {len(recorded)} rows, its numbers give {len(again)}"]
    return [
        f"{mine.title}: the report states {mine.sentence!r}, its numbers give {now.sentence!r}"
        for mine, now in zip(recorded, again, strict=True)
        if not _alike(mine.document(), now.document())
    ]


def _alike(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Numbers may differ in their last digits, where another machine computed them."""
    return all(
        math.isclose(mine, second[name], rel_tol=1e-9, abs_tol=1e-12)
        if isinstance(mine, float) and isinstance(second[name], float)
        else mine == second[name]
        for name, mine in first.items()
    )


def _checks(recorded: Sequence[Check], again: Sequence[Check]) -> list[str]:
    return [
        f"check {now.name}: its numbers give {now.message!r}"
        for now in again
        if now not in recorded
    ] + [f"check {mine.name} does not follow" for mine in recorded if mine not in again]
