"""Whether consecutive blocks of a shadow test depend on each other, so that its interval is too
narrow.

Each demand with a PASS is checked on the residuals of its blocks. Where independence is likely, the
blocks count as independent. Where it is doubtful, the PASS must also hold with the long-run
variance at the estimated autocorrelation; where it is refuted, at the largest autocorrelation that
the data allow. The levels were chosen by simulation: see ``benchmarks/dependent_blocks.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from model_lifecycle.registry.domain.evidence import Verdict

from ..aggregates.clusters import by_table
from ..aggregates.replay import ReplayAggregate
from ..formatting import amount
from ..inference.estimators import Blocks
from ..policy.hypotheses import Hypothesis
from ..policy.promotion import ShadowPolicy
from ..report import DEMANDS, Check, MetricRow
from ..statistics.autocorrelation import (
    independence_p,
    lag_one_autocorrelation,
    largest_autocorrelation,
    long_run_variance,
)

#: P-values of independence below which it is doubtful, and below which it is refuted.
DOUBTFUL, REFUTED = 0.2, 0.02
NAME = "independence of blocks"


def dependence_checks(
    policy: ShadowPolicy,
    hypotheses: Sequence[Hypothesis],
    aggregate: ReplayAggregate,
    rows: Sequence[MetricRow],
) -> list[Check]:
    """One check of all demands, of policies whose unit is the block: the first demand whose PASS
    does not hold keeps the gate INCONCLUSIVE. Empty without a demand that passes."""
    if policy.unit != "block":
        return []
    verdicts = {(row.kind, row.name, row.threshold): row for row in rows}
    messages = []
    for hypothesis in hypotheses:
        if hypothesis.kind not in DEMANDS or by_table(hypothesis.metric):
            continue
        threshold = hypothesis.to_display(hypothesis.threshold)
        row = verdicts.get((hypothesis.kind, hypothesis.metric.name, threshold))
        if row is None or row.verdict is not Verdict.PASS:
            continue
        blocks = Blocks(policy, hypothesis, policy.alpha)
        for _, cell in aggregate.cells((hypothesis.key, None)):
            blocks.add(cell)
        problem, message = _judge(policy, hypothesis, row, blocks)
        if problem:
            return [Check(NAME, False, message, Verdict.INCONCLUSIVE)]
        messages.append(message)
    return [Check(NAME, True, messages[0])] if messages else []


def _judge(
    policy: ShadowPolicy, hypothesis: Hypothesis, row: MetricRow, blocks: Blocks
) -> tuple[bool, str]:
    residuals = blocks.residuals()
    autocorrelation = lag_one_autocorrelation(residuals)
    if math.isnan(autocorrelation):
        return False, f"{row.title}: the {policy.block}s do not differ"
    p = independence_p(autocorrelation, residuals.size)
    measured = (
        f"{row.title}: the autocorrelation of consecutive {policy.block}s is "
        f"{amount(autocorrelation)} (p {amount(p)})"
    )
    if p >= DOUBTFUL:
        return False, measured
    assumed = assumed_autocorrelation(autocorrelation, residuals.size)
    lower = blocks.bounds_with(long_run_variance(residuals, assumed)).lower
    bound = f"with the long-run variance at {amount(assumed)} the bound is "
    bound += amount(hypothesis.to_display(lower))
    if lower > hypothesis.threshold:
        return False, f"{measured}; {bound}, so the PASS holds"
    advice = "judge a longer window" + ("" if policy.block == "day" else ", or block: day")
    return True, f"{measured}; {bound}, beyond {amount(row.threshold)}: {advice}"


def assumed_autocorrelation(autocorrelation: float, n: int) -> float:
    """The autocorrelation that a PASS has to withstand, for an estimate from ``n`` blocks."""
    if independence_p(autocorrelation, n) >= REFUTED:
        return autocorrelation
    return largest_autocorrelation(autocorrelation, n)
