"""Judging blocks as they came: an interval after each, valid at every one of them.

One-sided at alpha for PASS, and at alpha over the number of demands for FAIL. What counts as a
unit, and the method for it, is in :mod:`.engines`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from model_lifecycle.registry.domain.evidence import Verdict

from ..aggregates.clusters import by_table
from ..aggregates.replay import BlockSummary, ReplayAggregate
from ..formatting import count, plural
from ..policy.hypotheses import Hypothesis, of_classes
from ..policy.promotion import ShadowPolicy
from ..policy.slices import SliceSelection, select_slices
from ..report import DEMANDS, MetricRow
from ..statistics.asymptotic import one_sided_half_width, rho, units_needed
from ..statistics.design_effect import design_effect
from ..statistics.exact import ExactSum
from ..statistics.moments import Moments
from ..statistics.rare_variance import ENOUGH_DIFFERING, least_variance
from .cluster_estimators import ClusterBlocks, mean_losses, own_value
from .decision import from_bounds, latch, standing
from .estimators import engine
from .latency import latency_rows
from .results import TestResult

#: Intervals from fewer blocks are not drawn: they are too wide for the figure.
_FIRST_DRAWN = 5
#: Fewer clusters than this do not make a sequence of means valid.
_FEWEST_CLUSTERS = 30


@dataclass(frozen=True)
class InterimAnalysis:
    """The state after a block: ``mean`` and bounds of x over all ``units`` so far, the block's own
    mean and requests. ``effective`` is how many blocks of equal size the blocks are worth.
    ``verdict`` is what this look shows alone; ``too_little`` is why it may show nothing yet."""

    block: str
    blocks: int
    effective: float
    units: int
    requests: int
    block_mean: float
    own_requests: int
    mean: float
    lower: float
    upper: float
    p_pass: float
    p_fail: float
    log_e_pass: float
    log_e_fail: float
    verdict: Verdict
    too_little: str = ""


def judge_blocks(
    policy: ShadowPolicy,
    hypotheses: Sequence[Hypothesis],
    aggregate: ReplayAggregate,
    *,
    with_champion: bool = True,
) -> tuple[tuple[MetricRow, ...], dict[str, Any]]:
    """A row for each hypothesis, limit of latency and slice, and what the report shows of the
    looks: by hypothesis, the interval after each block, and the design effect."""
    demands = [hypothesis for hypothesis in hypotheses if hypothesis.kind in DEMANDS]
    alpha_fail = policy.alpha / max(len(demands) + len(policy.latency), 1)
    demands = list(of_classes(demands, _classes(aggregate)))
    rows: list[MetricRow] = []
    detail: dict[str, Any] = {"looks": [], "design_effects": []}
    for hypothesis in demands:
        cells = aggregate.cells((hypothesis.key, None))
        looks = look_at(policy, hypothesis, cells, alpha_fail)
        rows.append(_row(policy, hypothesis, cells, looks, alpha_fail))
        detail["looks"].append(_trajectory(policy, hypothesis, looks, alpha_fail))
        detail["design_effects"].append(
            {
                "claim": hypothesis.key,
                "title": hypothesis.metric.title,
                "blocks": len(cells),
                "rows": sum(cell.x.n for _, cell in cells),
                "design_effect": _effect(cells),
                "effective_blocks": looks[-1].effective if looks else 0.0,
            }
        )
    rows += latency_rows(policy, aggregate, alpha_fail, with_champion=with_champion)
    parts = [
        (selection.hypothesis, value, aggregate.cells((selection.hypothesis.key, value)))
        for selection in slice_selections(hypotheses, aggregate)
        for value in selection.judged
    ]
    for hypothesis, value, cells in parts:
        looks = look_at(policy, hypothesis, cells, policy.alpha / len(parts), sliced=True)
        rows.append(_row(policy, hypothesis, cells, looks[-1:], policy.alpha / len(parts), value))
    return tuple(rows), detail


def _classes(aggregate: ReplayAggregate) -> int:
    """How many classes the labels of the traffic may have."""
    return len(aggregate.tables.get("classes", ())) or 2


def slice_selections(
    hypotheses: Sequence[Hypothesis], aggregate: ReplayAggregate
) -> list[SliceSelection]:
    """Which values of each slice's column are judged."""
    return [
        select_slices(hypothesis, aggregate.slice_rows(hypothesis.key))
        for hypothesis in hypotheses
        if hypothesis.kind == "slice"
    ]


def look_at(
    policy: ShadowPolicy,
    hypothesis: Hypothesis,
    cells: Sequence[tuple[str, BlockSummary]],
    alpha_fail: float,
    *,
    sliced: bool = False,
) -> list[InterimAnalysis]:
    """The looks after each block, in order."""
    tabled = by_table(hypothesis.metric)
    judge = (ClusterBlocks if tabled else engine)(policy, hypothesis, alpha_fail)
    looks: list[InterimAnalysis] = []
    requests, squares, differing = 0, 0, 0
    for blocks, (name, cell) in enumerate(cells, start=1):
        judge.add(cell)
        requests += cell.x.n
        squares += cell.x.n**2
        differing += cell.differing
        bounds = judge.bounds()
        least = least_variance(hypothesis.threshold, hypothesis.range, differing)
        effective = blocks if policy.weighting == "blocks" else requests**2 / squares
        too_little = _too_few_blocks(policy, blocks, effective)
        too_little = too_little or _too_little(policy, bounds.units, requests, sliced=sliced)
        too_little = too_little or _too_short(policy, cells[0][0], name)
        if not too_little and least is None and not _exact(policy, hypothesis):
            too_little = f"only {differing} requests differ; a verdict needs {ENOUGH_DIFFERING}"
        looks.append(
            InterimAnalysis(
                block=name,
                blocks=blocks,
                effective=effective,
                units=bounds.units,
                requests=requests,
                block_mean=own_value(hypothesis, cell) if tabled else cell.x.mean,
                own_requests=cell.x.n,
                mean=bounds.mean,
                lower=bounds.lower,
                upper=bounds.upper,
                p_pass=bounds.p_pass,
                p_fail=bounds.p_fail,
                log_e_pass=bounds.log_e_pass,
                log_e_fail=bounds.log_e_fail,
                verdict=Verdict.INCONCLUSIVE
                if too_little
                else from_bounds(bounds.lower, bounds.upper, hypothesis.threshold),
                too_little=too_little,
            )
        )
    return looks


def _row(
    policy: ShadowPolicy,
    hypothesis: Hypothesis,
    cells: Sequence[tuple[str, BlockSummary]],
    looks: Sequence[InterimAnalysis],
    alpha_fail: float,
    slice_value: str | None = None,
) -> MetricRow:
    verdict, fallen = _conclusion(hypothesis, looks)
    last = looks[-1] if looks else None
    if last and fallen is not None and last.verdict is not verdict:
        last = looks[fallen]
    decisive = [look for look in looks if not look.too_little]
    requests = last.requests if last else 0
    finding = TestResult(
        hypothesis=hypothesis,
        verdict=verdict,
        estimate=last.mean if last else math.nan,
        lower=last.lower if last else -math.inf,
        upper=last.upper if last else math.inf,
        p_pass=min((look.p_pass for look in decisive), default=1.0),
        p_fail=min((look.p_fail for look in decisive), default=1.0),
        rows=requests,
        units=last.units if last else 0,
        unit=policy.block if policy.unit == "block" else policy.unit,
        things="requests",
        equal_weights=policy.weighting == "blocks",
        decided_at=None if fallen is None else looks[fallen].units,
        all_units=looks[-1].units if looks else 0,
        all_estimate=looks[-1].mean if looks else math.nan,
        forecast=_forecast(policy, hypothesis, last, alpha_fail) if last else None,
        unstable=_unstable(verdict, looks),
        too_little=last.too_little if last else "there are no labelled requests",
    )
    judged = [cell for _, cell in cells[: last.blocks if last else 0]]
    if by_table(hypothesis.metric):
        return finding.row(*mean_losses(hypothesis, judged), slice_value)
    return finding.row(
        _mean_loss(policy, [(cell.champion_loss, cell.sums.n) for cell in judged])
        if hypothesis.comparative
        else None,
        _mean_loss(policy, [(cell.challenger_loss, cell.sums.n) for cell in judged]),
        slice_value,
    )


def _conclusion(
    hypothesis: Hypothesis, looks: Sequence[InterimAnalysis]
) -> tuple[Verdict, int | None]:
    """The verdict after all looks, and the index of the look that reached it; None where none
    did, or where its verdict does not stand by the last estimate."""
    verdict, fallen = latch(look.verdict for look in looks)
    if fallen is None or standing(verdict, looks[-1].mean, hypothesis.threshold) is verdict:
        return verdict, fallen
    return Verdict.INCONCLUSIVE, None


def _unstable(verdict: Verdict, looks: Sequence[InterimAnalysis]) -> bool:
    """Whether an earlier look showed another verdict."""
    return bool({look.verdict for look in looks} - {Verdict.INCONCLUSIVE, verdict})


def _too_few_blocks(policy: ShadowPolicy, blocks: int, effective: float) -> str:
    if effective >= policy.min_blocks:
        return ""
    required = f"of the {policy.min_blocks} {policy.block}s that the policy requires"
    if effective == blocks:
        return f"{blocks} {required}"
    units = f"{blocks} {plural(policy.block, blocks)}"
    return f"{units} of unequal size, worth {effective:.1f}, {required}"


def _too_little(policy: ShadowPolicy, units: int, requests: int, *, sliced: bool) -> str:
    """Why this look may not decide, in words; empty where it may."""
    if policy.unit == "cluster" and units < _FEWEST_CLUSTERS:
        return f"{units} clusters; a verdict needs {_FEWEST_CLUSTERS}"
    if requests < policy.min_requests and not sliced:
        return (
            f"{count(requests)} of the {count(policy.min_requests)} requests that the policy "
            "requires"
        )
    return ""


def _too_short(policy: ShadowPolicy, first: str, last: str) -> str:
    lasted = datetime.fromisoformat(last) - datetime.fromisoformat(first)
    hours = lasted / timedelta(hours=1) + (24 if policy.block == "day" else 1)
    if hours < policy.min_duration_hours:
        return f"{hours:g} of the {policy.min_duration_hours:g} hours that the policy requires"
    return ""


def _exact(policy: ShadowPolicy, hypothesis: Hypothesis) -> bool:
    """Whether the engine needs no variance, and so nothing that differs."""
    return policy.unit == "request" and hypothesis.range is not None


def _forecast(
    policy: ShadowPolicy, hypothesis: Hypothesis, last: InterimAnalysis, alpha_fail: float
) -> int | None:
    """Units after which a verdict is reached if mean and spread stay as they are."""
    better = last.mean > hypothesis.threshold
    alpha = policy.alpha if better else alpha_fail
    least = math.ceil(policy.min_blocks * last.units / last.effective)
    if _exact(policy, hypothesis):
        gained = last.log_e_pass if better else last.log_e_fail
        if gained <= 0 or last.mean == hypothesis.threshold:
            return None
        return max(math.ceil(last.units * math.log(1 / alpha) / gained), least, last.units + 1)
    parameter = rho(2 * alpha, policy.expected_blocks)
    width = last.mean - last.lower if better else last.upper - last.mean
    if not math.isfinite(width) or last.units < 2:
        return None
    spread = width / one_sided_half_width(last.units, 1.0, alpha, parameter)
    needed = units_needed(abs(last.mean - hypothesis.threshold), spread, alpha, parameter)
    return None if needed is None else max(needed, least)


def _trajectory(
    policy: ShadowPolicy,
    hypothesis: Hypothesis,
    looks: Sequence[InterimAnalysis],
    alpha_fail: float,
) -> dict[str, Any]:
    """The looks as a person reads them, plain and finite."""
    verdict, fallen = _conclusion(hypothesis, looks)
    points = []
    for look in looks:
        drawn = look.blocks >= _FIRST_DRAWN
        ends = (
            sorted((hypothesis.to_display(look.lower), hypothesis.to_display(look.upper)))
            if drawn
            else (None, None)
        )
        points.append(
            {
                **{name: asdict(look)[name] for name in ("block", "blocks", "requests")},
                "own": hypothesis.to_display(look.block_mean),
                "own_requests": look.own_requests,
                "mean": hypothesis.to_display(look.mean),
                "effective": look.effective,
                "too_little": look.too_little,
                "lower": ends[0],
                "upper": ends[1],
                "log10_e_pass": look.log_e_pass / math.log(10),
                "log10_e_fail": look.log_e_fail / math.log(10),
            }
        )
    return {
        "claim": hypothesis.key,
        "title": hypothesis.metric.title,
        "comparative": hypothesis.comparative,
        "threshold": hypothesis.to_display(hypothesis.threshold),
        "passes": "above" if hypothesis.scale > 0 else "below",
        "verdict": verdict.value,
        "decided_at": None if fallen is None else looks[fallen].blocks,
        "alpha": policy.alpha,
        "alpha_fail": alpha_fail,
        "points": points,
    }


def _mean_loss(policy: ShadowPolicy, blocks: Sequence[tuple[ExactSum, int]]) -> float | None:
    """A model's mean loss over the blocks' sums and requests, weighted as the estimate is."""
    if not blocks:
        return None
    if policy.weighting == "blocks":
        return float(sum(part.fraction / n for part, n in blocks) / len(blocks))
    return float(sum(part.fraction for part, _ in blocks) / sum(n for _, n in blocks))


def _effect(cells: Sequence[tuple[str, BlockSummary]]) -> float | None:
    pooled = sum((cell.x for _, cell in cells), Moments())
    return design_effect(
        [cell.x.mean for _, cell in cells], [cell.x.n for _, cell in cells], pooled.variance
    )
