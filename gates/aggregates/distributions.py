"""Distributions that the plots show, as counts that add: scores, calibration, errors.

A classifier's scores are counted in 20 bins of [0, 1], with the sum of scores and of labels in
each, from which the calibration curve follows. A regression's predictions and errors are counted
in bins fixed by the first rows seen; what falls outside goes to the end bins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics.definitions import CLASSIFICATION, REGRESSION
from ..metrics.losses import Answers, Floats

_BINS = 20


@dataclass(frozen=True)
class Bins:
    """Counts of one model's values in the cells between ``edges``; ``sums`` of the values and
    ``labels`` of the labels in each."""

    counts: NDArray[np.int64]
    sums: Floats
    labels: Floats

    @classmethod
    def of(cls, values: Floats, labels: Floats, edges: Floats) -> Bins:
        cell = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, edges.size - 2)
        size = edges.size - 1
        return cls(
            np.bincount(cell, minlength=size),
            np.bincount(cell, weights=values, minlength=size).astype(float),
            np.bincount(cell, weights=labels, minlength=size).astype(float),
        )

    def __add__(self, other: Bins) -> Bins:
        return Bins(self.counts + other.counts, self.sums + other.sums, self.labels + other.labels)

    def document(self) -> dict[str, Any]:
        return {
            "counts": [int(value) for value in self.counts],
            "sums": [float(value) for value in self.sums],
            "labels": [float(value) for value in self.labels],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Bins:
        return cls(
            np.array(document["counts"], dtype=np.int64),
            np.array(document["sums"], dtype=float),
            np.array(document["labels"], dtype=float),
        )


@dataclass(frozen=True)
class Edges:
    """Where the bins lie. Part of the identity of counts: only equal edges add."""

    model_type: str
    values: tuple[float, ...]
    errors: tuple[float, ...] = ()

    @classmethod
    def of_scores(cls) -> Edges:
        """The bins of scores, the same for every classifier."""
        return cls(CLASSIFICATION, tuple(float(x) for x in np.linspace(0, 1, _BINS + 1)))

    @classmethod
    def fitting(cls, model_type: str, labels: NDArray[Any], answers: Answers) -> Edges | None:
        """Edges for models like this one; None where there is nothing to draw (a classifier
        without a score for one positive class, labels that are not numbers)."""
        if model_type == CLASSIFICATION:
            if answers.score is None or _numbers(labels) is None:
                return None
            return cls.of_scores()
        truth, predictions = _numbers(labels), _numbers(answers.prediction)
        if model_type != REGRESSION or truth is None or predictions is None:
            return None
        return cls(
            REGRESSION, _span(np.concatenate([truth, predictions])), _span(predictions - truth)
        )


@dataclass(frozen=True)
class Distributions:
    """Both models' bins by name: ``values`` of scores or predictions, ``errors`` of a regression.
    Empty where there is nothing to draw."""

    edges: Edges | None = None
    values: Mapping[str, Bins] = field(default_factory=dict)
    errors: Mapping[str, Bins] = field(default_factory=dict)

    @classmethod
    def of(
        cls, edges: Edges | None, labels: NDArray[Any], models: Mapping[str, Answers]
    ) -> Distributions:
        truth = _numbers(labels)
        if edges is None or truth is None:
            return cls()
        values, errors = {}, {}
        for who, answers in models.items():
            scored = edges.model_type == CLASSIFICATION
            predictions = answers.score if scored else _numbers(answers.prediction)
            if predictions is None:
                continue
            values[who] = Bins.of(predictions, truth, np.array(edges.values))
            if edges.errors:
                errors[who] = Bins.of(predictions - truth, truth, np.array(edges.errors))
        return cls(edges, values, errors) if values else cls()

    def __add__(self, other: Distributions) -> Distributions:
        if self.edges is None or other.edges is None:
            return other if self.edges is None else self
        if self.edges != other.edges:
            raise ValueError("distributions with different edges do not add")
        return Distributions(
            self.edges, _added(self.values, other.values), _added(self.errors, other.errors)
        )

    def document(self) -> dict[str, Any]:
        if self.edges is None:
            return {}
        return {
            "model_type": self.edges.model_type,
            "value_edges": list(self.edges.values),
            "error_edges": list(self.edges.errors),
            "values": {who: bins.document() for who, bins in self.values.items()},
            "errors": {who: bins.document() for who, bins in self.errors.items()},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Distributions:
        """The inverse of :meth:`document`."""
        if not document:
            return cls()
        return cls(
            Edges(
                document["model_type"],
                tuple(document["value_edges"]),
                tuple(document["error_edges"]),
            ),
            {who: Bins.from_document(item) for who, item in document["values"].items()},
            {who: Bins.from_document(item) for who, item in document["errors"].items()},
        )


def _added(first: Mapping[str, Bins], second: Mapping[str, Bins]) -> dict[str, Bins]:
    added = dict(first)
    for who, bins in second.items():
        added[who] = added[who] + bins if who in added else bins
    return added


def _numbers(values: NDArray[Any]) -> Floats | None:
    try:
        numbers = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        return None
    return numbers if np.isfinite(numbers).all() else None


def _span(values: Floats) -> tuple[float, ...]:
    """Bins over the bulk of ``values``: the middle 98 %, a fifth wider on both sides."""
    low, high = np.quantile(values, [0.01, 0.99])
    wide = max(float(high - low), 1e-9 * max(1.0, abs(float(high))))
    return tuple(float(x) for x in np.linspace(low - 0.2 * wide, high + 0.2 * wide, _BINS + 1))
