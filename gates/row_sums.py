"""Held-out rows as sums: all that the validation gate judges by, so that a report can hold it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .claims import Claim
from .losses import Answers, Floats, losses
from .statistics.paired import MeanEstimate, mean_estimate

#: The largest slices of a column are judged, not one for each of a million values.
MOST_SLICES = 50


@dataclass(frozen=True)
class HeldOut:
    """Labelled rows and what both models said about them. ``units`` codes each row's unit from 0,
    None where each row is one; ``slices`` holds the columns that slice limits name, as text."""

    labels: NDArray[Any]
    challenger: Answers
    champion: Answers | None = None
    units: NDArray[np.int64] | None = None
    slices: Mapping[str, NDArray[Any]] | None = None

    def of(self, rows: NDArray[np.bool_]) -> HeldOut:
        """Some of the rows, by mask."""
        return HeldOut(
            self.labels[rows],
            self.challenger.of(rows),
            self.champion.of(rows) if self.champion else None,
            self.units[rows] if self.units is not None else None,
        )


@dataclass(frozen=True)
class RowSums:
    """What the rows of one claim, or of one slice of it, come to: how many x are above and below 0,
    their mean with its standard error over ``units`` (None for fewer than two), and the mean
    losses of both models."""

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


def row_sums(claims: Sequence[Claim], data: HeldOut) -> tuple[RowSums, ...]:
    """The sums of every claim: demands over all rows, slices by each of their values."""
    return tuple(
        _sums(claim, data.of(mask), value)
        for claim in claims
        for value, mask in _parts(claim, data)
    )


def _parts(claim: Claim, data: HeldOut) -> Iterator[tuple[str | None, NDArray[np.bool_]]]:
    if claim.column is None:
        yield None, np.ones(data.labels.size, dtype=bool)
    else:
        yield from _slices(data, claim.column, claim.min_rows)


def _sums(claim: Claim, part: HeldOut, slice_value: str | None) -> RowSums:
    champion, challenger, x = _values(claim, part)
    mean = mean_estimate(x, part.units)
    return RowSums(
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


def claim_values(claim: Claim, data: HeldOut) -> Floats:
    """The claim's x of every row."""
    return _values(claim, data)[2]


def _values(claim: Claim, data: HeldOut) -> tuple[Floats | None, Floats, Floats]:
    """Losses of champion and challenger, and x."""
    challenger = losses(claim.metric, data.labels, data.challenger, claim.bound)
    champion = (
        losses(claim.metric, data.labels, data.champion, claim.bound) if data.champion else None
    )
    return champion, challenger, claim.values(champion, challenger)


def _slices(data: HeldOut, column: str, min_rows: int) -> list[tuple[str, NDArray[np.bool_]]]:
    values = (data.slices or {})[column]
    names, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_SLICES]
    return [(str(names[i]), values == names[i]) for i in order if counts[i] >= min_rows]
