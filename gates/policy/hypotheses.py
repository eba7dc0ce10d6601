"""A policy's demands as hypotheses about means: the mean of x lies above a threshold.

Whatever the measure and its direction, x is oriented so that larger is better, and is 0 where a
request is not informative. A comparison's x is the champion's loss minus the challenger's; a
limit's is the loss or its negative. So one judge serves all demands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..metrics.definitions import Metric, metric
from ..metrics.losses import Floats
from .criteria import Comparison, Limit, SliceLimit


@dataclass(frozen=True)
class Hypothesis:
    """``offset + scale * x`` is what a person reads: the improvement, or the measure itself.

    ``sign`` orients the loss of a limit's x; it is None for a comparison. ``column``, ``min_rows``,
    ``max_values`` and ``unjudged`` are those of a slice. ``configured_threshold`` is the threshold
    as the policy states it: margin, maximum or minimum. ``classes`` is how many classes labels
    have."""

    key: str
    kind: str
    metric: Metric
    threshold: float
    configured_threshold: float
    sign: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    bound: float | None = None
    column: str | None = None
    min_rows: int = 0
    max_values: int = 0
    unjudged: str = ""
    classes: int = 2

    @property
    def comparative(self) -> bool:
        """Whether it needs a champion."""
        return self.sign is None

    @property
    def range(self) -> float | None:
        """The largest size of x, None where there is none."""
        return self.metric.largest_loss(self.classes) if self.bound is None else self.bound

    def values(self, champion: Floats | None, challenger: Floats) -> Floats:
        """x of each row, from the rows' losses."""
        if self.sign is not None:
            return self.sign * challenger
        if champion is None:
            raise ValueError(f"{self.key} compares, and there is no champion")
        return champion - challenger

    def to_display(self, x: float) -> float:
        """x as a person reads it."""
        return self.offset + self.scale * x


def of_classes(hypotheses: Sequence[Hypothesis], classes: int) -> tuple[Hypothesis, ...]:
    """The hypotheses where labels have so many classes."""
    return tuple(replace(hypothesis, classes=classes) for hypothesis in hypotheses)


def policy_hypotheses(
    comparisons: Sequence[Comparison],
    limits: Sequence[Limit],
    slices: Sequence[SliceLimit],
    *,
    champion: bool,
) -> tuple[Hypothesis, ...]:
    """The hypotheses that apply with, or without, a champion."""
    hypotheses: list[Hypothesis] = []
    if champion:
        hypotheses += [
            _comparison("comparison", item.metric, item.margin, item) for item in comparisons
        ]
    for limit in limits:
        if metric(limit.metric).differs and not champion:
            continue
        if limit.applies == "always" or not champion:
            hypotheses.append(_limit("limit", limit.metric, limit.minimum, limit.maximum))
    for part in slices:
        if metric(part.metric).differs and not champion:
            continue
        if part.margin is None:
            hypotheses.append(_limit("slice", part.metric, part.minimum, part.maximum, part))
        elif champion:
            hypotheses.append(_comparison("slice", part.metric, part.margin, None, part))
    return tuple(hypotheses)


def _comparison(
    kind: str,
    name: str,
    margin: float,
    comparison: Comparison | None,
    part: SliceLimit | None = None,
) -> Hypothesis:
    return Hypothesis(
        key=_key(kind, name, "margin", margin, part),
        kind=kind,
        metric=metric(name),
        threshold=-margin if margin else 0.0,
        configured_threshold=margin,
        bound=comparison.bound if comparison else None,
        **_of_slice(part),
    )


def _limit(
    kind: str,
    name: str,
    minimum: float | None,
    maximum: float | None,
    part: SliceLimit | None = None,
) -> Hypothesis:
    measure = metric(name)
    at_least = minimum is not None
    demand = (minimum if minimum is not None else maximum) or 0.0
    #: Higher is better: the measure is its best value less the loss.
    complement = measure.higher_is_better
    sign = 1.0 if at_least != complement else -1.0
    return Hypothesis(
        key=_key(kind, name, "minimum" if at_least else "maximum", demand, part),
        kind=kind,
        metric=measure,
        threshold=sign * measure.measure(demand),
        configured_threshold=demand,
        sign=sign,
        scale=1.0 if at_least else -1.0,
        offset=measure.best if complement else 0.0,
        **_of_slice(part),
    )


def _of_slice(part: SliceLimit | None) -> dict[str, Any]:
    if part is None:
        return {}
    return {
        "column": part.column,
        "min_rows": part.min_rows,
        "max_values": part.max_values,
        "unjudged": part.unjudged,
    }


def _key(kind: str, name: str, word: str, demand: float, part: SliceLimit | None) -> str:
    where = f"{part.column}:" if part else ""
    return f"{kind}:{where}{name}:{word}:{demand!r}"
