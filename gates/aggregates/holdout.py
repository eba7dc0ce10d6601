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

    def judged(self, claim: Hypothesis) -> HeldOut:
        """The rows that tell something on the claim."""
        if claim.metric.uses == "answer":
            return self
        rows = self.usable
        for values in self.silhouettes.values() if claim.metric.uses == "distances" else ():
            rows = rows & np.isfinite(values)
        return self if rows.all() else self.of(rows)


@dataclass(frozen=True)
class HoldoutSummary:
    """What the rows of one claim, or of one slice or cluster of it, come to: how many x are above
    and below 0, their mean with its standard error over ``units`` (None for fewer than two), and
    the mean losses of both models."""

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
        """The mean as the t test takes it."""
        error = math.nan if self.standard_error is None else self.standard_error
        return MeanEstimate(self.mean, error, self.units, self.rows)

    def document(self) -> dict[str, Any]:
        return asdict(self)


def row_sums(
    claims: Sequence[Hypothesis], data: HeldOut
) -> tuple[tuple[HoldoutSummary, ...], tuple[SliceSelection, ...]]:
    """The sums of every claim, over all rows or by each value of a slice's column that is judged
    or each cluster; and which values of slices are judged."""
    sums: list[HoldoutSummary] = []
    selections: list[SliceSelection] = []
    for claim in claims:
        rows = data.judged(claim)
        if claim.column is not None:
            values = rows.slices[claim.column]
            sizes = pd.Series(values).value_counts()
            selection = select_slices(claim, {str(k): int(v) for k, v in sizes.items()})
            selections.append(selection)
            sums += [_sums(claim, rows.of(values == value), value) for value in selection.judged]
        elif claim.metric.uses == "share":
            sums += _shares(claim, rows)
        else:
            sums.append(_sums(claim, rows, None))
    return tuple(sums), tuple(selections)


def claim_values(claim: Hypothesis, data: HeldOut) -> Floats:
    """The claim's x of every row that tells something on it."""
    return _values(claim, data)[2]


def _sums(claim: Hypothesis, part: HeldOut, slice_value: str | None) -> HoldoutSummary:
    return _summed(claim, part, slice_value, *_values(claim, part))


def _shares(claim: Hypothesis, part: HeldOut) -> Iterator[HoldoutSummary]:
    """Whether each row is in a cluster, for each cluster."""
    predictions = part.challenger.prediction
    names = part.clusters or cluster_names(predictions, None)
    for name, value in names:
        inside = np.asarray(predictions == value, dtype=float)
        yield _summed(claim, part, name, None, inside, claim.values(None, inside))


def _summed(
    claim: Hypothesis,
    part: HeldOut,
    slice_value: str | None,
    champion: Floats | None,
    challenger: Floats,
    x: Floats,
) -> HoldoutSummary:
    units = None if part.units is None else np.unique(part.units, return_inverse=True)[1]
    mean = mean_estimate(x, units)
    return HoldoutSummary(
        claim=claim.key,
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


def _values(claim: Hypothesis, data: HeldOut) -> tuple[Floats | None, Floats, Floats]:
    """Losses of champion and challenger, and x."""
    metric = claim.metric
    if metric.differs:
        assert data.champion is not None
        if metric.uses == "table":
            predictions = data.champion.prediction, data.challenger.prediction
            both = metric.loss(index_values(metric, *predictions))
        else:
            both = differences(metric, data.champion, data.challenger)
        return None, both, claim.values(None, both)
    challenger = _losses(claim, data, data.challenger, "challenger")
    champion = _losses(claim, data, data.champion, "champion") if data.champion else None
    return champion, challenger, claim.values(champion, challenger)


def _losses(claim: Hypothesis, data: HeldOut, said: Answers, who: str) -> Floats:
    metric = claim.metric
    if metric.uses == "answer":
        return data.failed[who].astype(float)
    if metric.uses == "distances":
        return metric.loss(data.silhouettes[who])
    if metric.uses == "table":
        return metric.loss(index_values(metric, data.labels, said.prediction))
    return losses(metric, data.labels, said, claim.bound, data.classes)
