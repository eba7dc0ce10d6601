"""Compare the champion's loss with its loss when it was promoted: a jump means that labels
changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.stages import Gate

from ..formatting import amount
from ..metrics.definitions import metric
from ..report import Check, MetricRow
from .prior_attempts import PriorEvidence

NAME = "level of the champion"
#: Gates that record a version's loss; the evidence of the first of them that it passed counts.
_GATES = (Gate.SHADOW, Gate.VALIDATION)


async def champion_level_check(
    prior: PriorEvidence, rows: Sequence[MetricRow], largest_ratio: float
) -> list[Check]:
    """Whether the champion's losses are at most ``largest_ratio`` times what its own evidence
    recorded, or that part of them; nothing where there is no such evidence. Labels in percent, or
    of something else, change the losses of both models and no difference of them."""
    champion = prior.context.champion
    if champion is None:
        return []
    before = await _recorded_losses(prior, champion.version)
    compared = []
    for row in rows:
        if row.kind not in ("comparison", "limit") or row.champion is None:
            continue
        now, then = _loss(row.name, row.champion), before.get(row.name)
        if now is None or then is None or min(now, then) <= 0:
            continue
        factor = max(now / then, then / now)
        message = (
            f"{row.title} of version {champion.version} is {amount(row.champion)}, and its "
            f"evidence recorded a loss of {amount(then)}"
        )
        if factor > largest_ratio:
            return [
                Check(
                    NAME,
                    False,
                    f"{message}, {amount(factor)} times as much or little: the labels are in "
                    "another unit, or of something else",
                )
            ]
        compared.append(message)
    return [Check(NAME, True, compared[0])] if compared else []


async def _recorded_losses(prior: PriorEvidence, version: int) -> Mapping[str, float]:
    """The version's losses by measure, from the newest evidence that it passed."""
    evidence = prior.of_version(version)
    for gate in _GATES:
        for item in reversed(evidence):
            if item.gate is not gate or item.verdict is not Verdict.PASS:
                continue
            report = await prior.read_report(item)
            if report is None:
                continue
            losses = {row.name: _loss(row.name, row.challenger) for row in report.metrics}
            known = {name: value for name, value in losses.items() if value is not None}
            if known:
                return known
    return {}


def _loss(name: str, value: float | None) -> float | None:
    """The measure as a loss; None for what is no measure of labels."""
    if value is None:
        return None
    try:
        measure = metric(name)
    except InvalidInput:
        return None
    if not measure.labels:
        return None
    return 1 - value if measure.higher_is_better else value
