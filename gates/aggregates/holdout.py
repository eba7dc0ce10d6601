"""Held-out rows as sums: all that the validation gate judges by, so that a report can hold it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..metrics.classes import Classes
from ..metrics.clustering import cluster_names, index_values
from ..metrics.losses import Answers, Floats, differences, losses
from ..policy.hypotheses import Hypothesis
from ..policy.slices import SliceSelection, select_slices
from ..statistics.paired import MeanEstimate, mean_estimate

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class HeldOut:
    """Rows and the answers of both models.

    ``units`` codes each row's unit from 0, None where each row is one; ``slices`` holds the columns
    that slice limits name, as text. ``failed`` marks rows without a usable answer by model.
    ``classes`` are those of the labels, ``clusters`` the challenger's by name; ``silhouettes`` are
    each row's by model, NaN outside of their sample.
    """

    labels: NDArray[Any]
    challenger: Answers
    champion: Answers | None = None
    units: NDArray[np.int64] | None = None
    slices: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    failed: Mapping[str, Mask] = field(default_factory=dict)
    classes: Classes | None = None
    clusters: tuple[tuple[str, Any], ...] | None = None
    silhouettes: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def usable(self) -> Mask:
        """Rows that every model answered."""
        good = np.ones(len(self.challenger.prediction), dtype=bool)
        for failed in self.failed.values():
            good &= ~failed
        return good

    def of(self, rows: Mask) -> HeldOut:
        """Some of the rows, by mask."""
        return replace(
            self,
            labels=self.labels[rows],
            challenger=self.challenger.of(rows),
            champion=self.champion.of(rows) if self.champion else None,
            units=self.units[rows] if self.units is not None else None,
            slices={name: values[rows] for name, values in self.slices.items()},
            failed={who: failed[rows] for who, failed in self.failed.items()},
            silhouettes={who: values[rows] for who, values in self.silhouettes.items()},
        )

    def judged(self, hypothesis: Hypothesis) -> HeldOut:
        """The rows that are informative about the hypothesis."""
        if hypothesis.metric.uses == "answer":
            return self
        rows = self.usable
        for values in self.silhouettes.values() if hypothesis.metric.uses == "distances" else ():
            rows = rows & np.isfinite(values)
        return self if rows.all() else self.of(rows)


@dataclass(frozen=True)
class HoldoutSummary:
    """The summary of the rows of one hypothesis, or of one slice or cluster of it: how many x are
    above and below 0, their mean with its standard error over ``units`` (None for fewer than two),
    and the mean losses of both models."""

    claim: str
    slice_value: str | None
    rows: int
    units: int
    above: int
    below: int
    mean: float
    standard_error: float | None
    champion_loss: float | None
    challenger_loss: float

    @property
    def estimate(self) -> MeanEstimate:
        """The mean as the t test needs it."""
        error = math.nan if self.standard_error is None else self.standard_error
        return MeanEstimate(self.mean, error, self.units, self.rows)

    def document(self) -> dict[str, Any]:
        return asdict(self)


def row_sums(
    hypotheses: Sequence[Hypothesis], data: HeldOut
) -> tuple[tuple[HoldoutSummary, ...], tuple[SliceSelection, ...]]:
    """The sums of every hypothesis, over all rows or by each value of a slice's column that is
    judged or each cluster; and which values of slices are judged."""
    sums: list[HoldoutSummary] = []
    selections: list[SliceSelection] = []
    for hypothesis in hypotheses:
        rows = data.judged(hypothesis)
        if hypothesis.column is not None:
            values = rows.slices[hypothesis.column]
            sizes = pd.Series(values).value_counts()
            selection = select_slices(hypothesis, {str(k): int(v) for k, v in sizes.items()})
            selections.append(selection)
            sums += [
                _sums(hypothesis, rows.of(values == value), value) for value in selection.judged
            ]
        elif hypothesis.metric.uses == "share":
            sums += _shares(hypothesis, rows)
        else:
            sums.append(_sums(hypothesis, rows, None))
    return tuple(sums), tuple(selections)


def hypothesis_values(hypothesis: Hypothesis, data: HeldOut) -> Floats:
    """The hypothesis's x of every informative row."""
    return _values(hypothesis, data)[2]


def _sums(hypothesis: Hypothesis, part: HeldOut, slice_value: str | None) -> HoldoutSummary:
    return _summed(hypothesis, part, slice_value, *_values(hypothesis, part))


def _shares(hypothesis: Hypothesis, part: HeldOut) -> Iterator[HoldoutSummary]:
    """Whether each row is in a cluster, for each cluster."""
    predictions = part.challenger.prediction
    names = part.clusters or cluster_names(predictions, None)
    for name, value in names:
        inside = np.asarray(predictions == value, dtype=float)
        yield _summed(hypothesis, part, name, None, inside, hypothesis.values(None, inside))


def _summed(
    hypothesis: Hypothesis,
    part: HeldOut,
    slice_value: str | None,
    champion: Floats | None,
    challenger: Floats,
    x: Floats,
) -> HoldoutSummary:
    units = None if part.units is None else np.unique(part.units, return_inverse=True)[1]
    mean = mean_estimate(x, units)
    return HoldoutSummary(
        claim=hypothesis.key,
        slice_value=slice_value,
        rows=int(x.size),
        units=mean.units,
        above=int((x > 0).sum()),
        below=int((x < 0).sum()),
        mean=mean.estimate,
        standard_error=mean.standard_error if math.isfinite(mean.standard_error) else None,
        champion_loss=None if champion is None else float(champion.mean()),
        challenger_loss=float(challenger.mean()),
    )


def _values(hypothesis: Hypothesis, data: HeldOut) -> tuple[Floats | None, Floats, Floats]:
    """Losses of champion and challenger, and x."""
    metric = hypothesis.metric
    if metric.differs:
        assert data.champion is not None
        if metric.uses == "table":
            predictions = data.champion.prediction, data.challenger.prediction
            both = metric.loss(index_values(metric, *predictions))
        else:
            both = differences(metric, data.champion, data.challenger)
        return None, both, hypothesis.values(None, both)
    challenger = _losses(hypothesis, data, data.challenger, "challenger")
    champion = _losses(hypothesis, data, data.champion, "champion") if data.champion else None
    return champion, challenger, hypothesis.values(champion, challenger)


def _losses(hypothesis: Hypothesis, data: HeldOut, answers: Answers, who: str) -> Floats:
    metric = hypothesis.metric
    if metric.uses == "answer":
        return data.failed[who].astype(float)
    if metric.uses == "distances":
        return metric.loss(data.silhouettes[who])
    if metric.uses == "table":
        return metric.loss(index_values(metric, data.labels, answers.prediction))
    return losses(metric, data.labels, answers, hypothesis.bound, data.classes)
