"""What one request costs: the loss of each answer, always lower = better.

Brier (1950); logarithmic score of Good (1952), scores kept ``LOG_LOSS_CLIP`` from 0 and 1 so that
one request cannot decide. A measure where higher is better counts its complement as loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_lifecycle.registry.rules.errors import InvalidDataset

from .metrics import LOG_LOSS_CLIP, Metric

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What one model said: ``prediction``, shape ``(rows,)``, and ``score``, the probability of
    the positive class, shape ``(rows,)``, or None where the model has no such score."""

    prediction: NDArray[Any]
    score: Floats | None = None

    def of(self, rows: NDArray[Any]) -> Answers:
        """The answers of some rows, by mask or index."""
        return Answers(self.prediction[rows], None if self.score is None else self.score[rows])


def losses(
    metric: Metric, labels: NDArray[Any], answers: Answers, bound: float | None = None
) -> Floats:
    """Loss of each row by ``metric``, clipped at ``bound``. Raises :class:`InvalidDataset` when
    the labels or the model's answers are not of the kind that the measure needs."""
    found = _by_score(metric, labels, answers) if metric.uses == "score" else None
    if found is None:
        found = _by_prediction(metric, labels, answers.prediction)
    return found if bound is None else np.minimum(found, bound)


def differences(metric: Metric, champion: Answers, challenger: Answers) -> Floats:
    """How much the answers of each row differ, for a measure of difference. Raises
    :class:`InvalidDataset` where it needs scores and there are none."""
    if metric.uses == "prediction":
        return zero_one(champion.prediction, challenger.prediction)
    if champion.score is None or challenger.score is None:
        raise InvalidDataset(
            f"{metric.title} needs scores of both models, and there are none", field="score"
        )
    return np.abs(challenger.score - champion.score)


def brier(labels: Floats, scores: Floats) -> Floats:
    """Squared distance of the score from the label (0 or 1)."""
    return (scores - labels) ** 2


def log_loss(labels: Floats, scores: Floats) -> Floats:
    """Minus the logarithm of the probability given to what happened; at most 13.8."""
    clipped = np.clip(scores, LOG_LOSS_CLIP, 1 - LOG_LOSS_CLIP)
    return -np.log(np.where(labels == 1, clipped, 1 - clipped))


def zero_one(labels: NDArray[Any], predictions: NDArray[Any]) -> Floats:
    """1 where the prediction is not the label."""
    return np.asarray(predictions != labels, dtype=float)


def absolute_error(labels: Floats, predictions: Floats) -> Floats:
    return np.abs(predictions - labels)


def squared_error(labels: Floats, predictions: Floats) -> Floats:
    return (predictions - labels) ** 2


def binary_labels(labels: NDArray[Any], title: str) -> Floats:
    """Labels as 0.0 and 1.0. Raises :class:`InvalidDataset` for anything else."""
    numbers = _numbers(labels, f"{title} needs labels 0 and 1")
    if not np.isin(numbers, (0.0, 1.0)).all():
        raise InvalidDataset(f"{title} needs labels 0 and 1, not others", field="label")
    return numbers


def _by_score(metric: Metric, labels: NDArray[Any], answers: Answers) -> Floats:
    if answers.score is None:
        raise InvalidDataset(
            f"{metric.title} needs a score, the probability of the positive class; this model or "
            "its traffic has none",
            field="score",
        )
    known = binary_labels(labels, metric.title)
    return (brier if metric.name == "brier" else log_loss)(known, answers.score)


def _by_prediction(metric: Metric, labels: NDArray[Any], predictions: NDArray[Any]) -> Floats:
    if metric.binary:
        if _is_text(labels) != _is_text(predictions):
            raise InvalidDataset(
                "labels and predictions are of different kinds (text and numbers), so that none "
                "could ever agree",
                field="label",
            )
        return zero_one(labels, predictions)
    known = _numbers(labels, f"{metric.title} needs numbers as labels")
    said = _numbers(predictions, f"{metric.title} needs numbers as predictions")
    return (absolute_error if metric.name == "absolute_error" else squared_error)(known, said)


def _numbers(values: NDArray[Any], problem: str) -> Floats:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise InvalidDataset(problem, field="label") from None


def _is_text(values: NDArray[Any]) -> bool:
    return values.dtype.kind in "US" or (
        values.dtype.kind == "O" and any(isinstance(value, str) for value in values[:100])
    )
