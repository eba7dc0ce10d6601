"""Judging blocks as they came: an interval after each, valid at every one of them.

The unit is a block's mean of x; asymptotic confidence sequences (see ``statistics.asymptotic``),
one-sided at alpha for PASS and at alpha over the number of demands for FAIL.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from model_lifecycle.registry.rules.evidence import Verdict

from .claims import Claim
from .findings import Finding
from .policies import ShadowPolicy
from .report import MetricRow
from .statistics.asymptotic import one_sided_half_width, one_sided_p, rho, units_needed
from .statistics.design_effect import design_effect
from .statistics.moments import Moments
from .statistics.rare_variance import ENOUGH_DIFFERING, least_variance
from .tally import Cell, Tally
from .verdicts import DEMANDS, from_bounds, latched
from .wording import count

#: Intervals from fewer blocks are not drawn: they are too wide to be seen.
_FIRST_DRAWN = 5


@dataclass(frozen=True)
class Look:
    """The state after a block: ``mean`` and bounds of x over all blocks so far, the block's own
    mean and requests. ``verdict`` is what this look shows alone."""

    block: str
    blocks: int
    requests: int
    own: float
    own_requests: int
    mean: float
    lower: float
    upper: float
    p_pass: float
    p_fail: float
    verdict: Verdict
    too_little: str = ""


def judge_blocks(
    policy: ShadowPolicy, claims: Sequence[Claim], tally: Tally
) -> tuple[tuple[MetricRow, ...], dict[str, Any]]:
    """A row for each claim and each slice, and what the report shows of the looks: by claim, the
    interval after each block, and the design effect."""
    demands = [claim for claim in claims if claim.kind in DEMANDS]
    rows: list[MetricRow] = []
    shown: dict[str, Any] = {"looks": [], "design_effects": []}
    for claim in demands:
        cells = tally.cells((claim.key, None))
        looks = look_at(policy, claim, cells, policy.alpha / len(demands))
        rows.append(_row(policy, claim, cells, looks, policy.alpha / len(demands)))
        shown["looks"].append(_trajectory(claim, looks))
        shown["design_effects"].append(
            {
                "claim": claim.key,
                "title": claim.metric.title,
                "rows": sum(cell.x.n for _, cell in cells),
                "design_effect": _effect(cells),
            }
        )
    parts = [
        (claim, value, tally.cells((claim.key, value)))
        for claim in claims
        if claim.kind == "slice"
        for value in tally.slice_values(claim.key)
    ]
    parts = [part for part in parts if sum(c.x.n for _, c in part[2]) >= part[0].min_rows]
    for claim, value, cells in parts:
        looks = look_at(policy, claim, cells, policy.alpha / len(parts), sliced=True)
        rows.append(_row(policy, claim, cells, looks[-1:], policy.alpha / len(parts), value))
    return tuple(rows), shown


def look_at(
    policy: ShadowPolicy,
    claim: Claim,
    cells: Sequence[tuple[str, Cell]],
    alpha_fail: float,
    *,
    sliced: bool = False,
) -> list[Look]:
    """The looks after each block, in order."""
    to_pass = rho(2 * policy.alpha, policy.expected_blocks)
    to_fail = rho(2 * alpha_fail, policy.expected_blocks)
    looks: list[Look] = []
    means, requests, differing, inverse_sizes = Moments(), 0, 0, 0.0
    for name, cell in cells:
        means = means + Moments(1, cell.x.mean)
        requests += cell.x.n
        differing += cell.differing
        inverse_sizes += 1 / cell.x.n
        least = least_variance(claim.threshold, claim.span, differing)
        spread = math.inf
        if means.n > 1:
            spread = math.sqrt(max(means.variance, (least or 0.0) * inverse_sizes / means.n))
        lower = means.mean - _half(means.n, spread, policy.alpha, to_pass)
        upper = means.mean + _half(means.n, spread, alpha_fail, to_fail)
        too_little = _too_little(policy, means.n, requests, differing, least, sliced=sliced)
        looks.append(
            Look(
                block=name,
                blocks=means.n,
                requests=requests,
                own=cell.x.mean,
                own_requests=cell.x.n,
                mean=means.mean,
                lower=lower,
                upper=upper,
                p_pass=_p(means.n, means.mean, spread, claim.threshold, to_pass),
                p_fail=_p(means.n, -means.mean, spread, -claim.threshold, to_fail),
                verdict=Verdict.INCONCLUSIVE
                if too_little
                else from_bounds(lower, upper, claim.threshold),
                too_little=too_little,
            )
        )
    return looks


def _row(
    policy: ShadowPolicy,
    claim: Claim,
    cells: Sequence[tuple[str, Cell]],
    looks: Sequence[Look],
    alpha_fail: float,
    slice_value: str | None = None,
) -> MetricRow:
    verdict, fallen = latched(look.verdict for look in looks)
    last = looks[-1] if looks else None
    decisive = [look for look in looks if not look.too_little]
    requests = last.requests if last else 0
    finding = Finding(
        claim=claim,
        verdict=verdict,
        estimate=last.mean if last else math.nan,
        lower=last.lower if last else -math.inf,
        upper=last.upper if last else math.inf,
        p_pass=min((look.p_pass for look in decisive), default=1.0),
        p_fail=min((look.p_fail for look in decisive), default=1.0),
        rows=requests,
        units=last.blocks if last else 0,
        unit=policy.block,
        things="requests",
        decided_at=None if fallen is None else looks[fallen].blocks,
        forecast=_forecast(policy, claim, last, alpha_fail) if last else None,
        unstable=verdict is Verdict.FAIL and any(look.verdict is Verdict.PASS for look in looks),
        too_little=last.too_little if last else "there are no labelled requests",
    )
    sums = [cell for _, cell in cells]
    return finding.row(
        sum(cell.champion_loss for cell in sums) / requests
        if requests and claim.comparative
        else None,
        sum(cell.challenger_loss for cell in sums) / requests if requests else None,
        slice_value,
    )


def _too_little(
    policy: ShadowPolicy,
    blocks: int,
    requests: int,
    differing: int,
    least: float | None,
    *,
    sliced: bool,
) -> str:
    """Why this look may not decide, in words; empty where it may."""
    if blocks < policy.min_blocks:
        return f"{blocks} of the {policy.min_blocks} {policy.block}s that the policy asks for"
    if requests < policy.min_requests and not sliced:
        return (
            f"{count(requests)} of the {count(policy.min_requests)} requests that the policy "
            "asks for"
        )
    if least is None:
        return f"only {differing} requests tell anything; it takes {ENOUGH_DIFFERING}"
    return ""


def _forecast(policy: ShadowPolicy, claim: Claim, last: Look, alpha_fail: float) -> int | None:
    """Blocks after which the interval leaves the threshold, mean and spread staying as they are."""
    better = last.mean > claim.threshold
    alpha = policy.alpha if better else alpha_fail
    parameter = rho(2 * alpha, policy.expected_blocks)
    width = last.mean - last.lower if better else last.upper - last.mean
    if not math.isfinite(width) or last.blocks < 2:
        return None
    spread = width / _half(last.blocks, 1.0, alpha, parameter)
    needed = units_needed(abs(last.mean - claim.threshold), spread, alpha, parameter)
    return None if needed is None else max(needed, policy.min_blocks)


def _trajectory(claim: Claim, looks: Sequence[Look]) -> dict[str, Any]:
    """The looks as a person reads them, plain and finite."""
    verdict, fallen = latched(look.verdict for look in looks)
    points = []
    for look in looks:
        drawn = look.blocks >= _FIRST_DRAWN
        ends = sorted((claim.shown(look.lower), claim.shown(look.upper))) if drawn else (None, None)
        points.append(
            {
                **{name: asdict(look)[name] for name in ("block", "blocks", "requests")},
                "own": claim.shown(look.own),
                "own_requests": look.own_requests,
                "mean": claim.shown(look.mean),
                "lower": ends[0],
                "upper": ends[1],
            }
        )
    return {
        "claim": claim.key,
        "title": claim.metric.title,
        "comparative": claim.comparative,
        "threshold": claim.shown(claim.threshold),
        "passes": "above" if claim.scale > 0 else "below",
        "verdict": verdict.value,
        "decided_at": None if fallen is None else looks[fallen].blocks,
        "points": points,
    }


def _effect(cells: Sequence[tuple[str, Cell]]) -> float | None:
    pooled = sum((cell.x for _, cell in cells), Moments())
    return design_effect(
        [cell.x.mean for _, cell in cells], [cell.x.n for _, cell in cells], pooled.variance
    )


def _half(n: int, spread: float, alpha: float, parameter: float) -> float:
    return math.inf if n < 2 else one_sided_half_width(n, spread, alpha, parameter)


def _p(n: int, mean: float, spread: float, null: float, parameter: float) -> float:
    return 1.0 if n < 2 else one_sided_p(n, mean, spread, null, parameter)
