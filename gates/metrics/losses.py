"""The cost of one request: the loss of each answer, always lower = better.

Brier (1950), over all classes where there are more than two; logarithmic score of Good (1952),
scores kept ``LOG_LOSS_CLIP`` from 0 and 1 so that one request cannot decide. A measure where higher
is better counts its distance from the best value as loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_lifecycle.registry.domain.errors import InvalidDataset

from .classes import Classes, resolved_classes
from .definitions import LOG_LOSS_CLIP, Metric

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """The answers of one model.

    ``prediction`` has shape ``(rows,)``. ``score`` is the probability of the positive class, shape
    ``(rows,)``; ``probabilities`` those of more than two classes, shape ``(rows, classes)``, in the
    order of ``classes`` (None: numbered from 0). ``fits`` are a clustering's measures of each row
    by name. ``failure`` is the first error of a model that raised on some of the rows.
    """

    prediction: NDArray[Any]
    score: Floats | None = None
    probabilities: Floats | None = None
    classes: tuple[Any, ...] | None = None
    fits: Mapping[str, Floats] = field(default_factory=dict)
    failure: str = ""

    def of(self, rows: NDArray[Any]) -> Answers:
        """The answers of some rows, by mask or index."""
        return Answers(
            self.prediction[rows],
            None if self.score is None else self.score[rows],
            None if self.probabilities is None else self.probabilities[rows],
            self.classes,
            {name: values[rows] for name, values in self.fits.items()},
            self.failure,
        )


def losses(
    metric: Metric,
    labels: NDArray[Any],
    answers: Answers,
    bound: float | None = None,
    classes: Classes | None = None,
) -> Floats:
    """Loss of each row by ``metric``, clipped at ``bound``. ``classes`` are those of the labels;
    None: numbered from 0. Raises :class:`InvalidDataset` when the labels or the model's answers
    are not of the kind that the measure needs."""
    if metric.uses == "score":
        result = _by_score(metric, labels, answers, classes)
    elif metric.uses == "fit":
        result = metric.loss(_fit(metric, answers))
    elif metric.uses == "prediction":
        result = _by_prediction(metric, labels, answers.prediction)
    else:
        raise ValueError(f"{metric.name} is a measure of a table, without a loss of each row")
    return result if bound is None else np.minimum(result, bound)


def differences(metric: Metric, champion: Answers, challenger: Answers) -> Floats:
    """How much the answers of each row differ, for a measure of difference. Raises
    :class:`InvalidDataset` where it needs scores and there are none."""
    if metric.uses == "prediction":
        return zero_one(champion.prediction, challenger.prediction)
    if champion.score is None or challenger.score is None:
        who = "the champion" if champion.score is None else "the challenger"
        raise InvalidDataset(
            f"{metric.title} needs a score of both models, the probability of the positive class, "
            f"and {who} has none{_why_no_score(champion, challenger)}",
            field="score",
        )
    return np.abs(challenger.score - champion.score)


def brier(labels: Floats, scores: Floats) -> Floats:
    """Squared distance of the score from the label (0 or 1)."""
    return (scores - labels) ** 2


def log_loss(labels: Floats, scores: Floats) -> Floats:
    """Minus the logarithm of the probability given to what happened; at most 13.8."""
    clipped = np.clip(scores, LOG_LOSS_CLIP, 1 - LOG_LOSS_CLIP)
    return -np.log(np.where(labels == 1, clipped, 1 - clipped))


def brier_of_classes(codes: NDArray[np.int64], probabilities: Floats) -> Floats:
    """Sum over classes of the squared distance of the probability from 1 for the class that
    happened and 0 for the others, from 0 to 2. A code of -1 is a class that the model does not
    know, to which it gave nothing."""
    known = codes >= 0
    given = np.zeros(codes.size)
    given[known] = probabilities[known, codes[known]]
    return np.asarray((probabilities**2).sum(axis=1) - 2 * given + 1)


def log_loss_of_classes(codes: NDArray[np.int64], probabilities: Floats) -> Floats:
    """Minus the logarithm of the probability given to the class that happened; at most 13.8."""
    known = codes >= 0
    given = np.zeros(codes.size)
    given[known] = probabilities[known, codes[known]]
    return -np.log(np.clip(given, LOG_LOSS_CLIP, 1.0))


def zero_one(labels: NDArray[Any], predictions: NDArray[Any]) -> Floats:
    """1 where the prediction is not the label."""
    return np.asarray(predictions != labels, dtype=float)


def absolute_error(labels: Floats, predictions: Floats) -> Floats:
    return np.abs(predictions - labels)


def squared_error(labels: Floats, predictions: Floats) -> Floats:
    return (predictions - labels) ** 2


# By name, so that a metric without a function of its own fails instead of getting another's loss.
_LOSSES_OF_SCORES = {"brier": brier, "log_loss": log_loss}
_LOSSES_OF_CLASSES = {"brier": brier_of_classes, "log_loss": log_loss_of_classes}
_ERRORS = {"absolute_error": absolute_error, "squared_error": squared_error}


def _by_score(
    metric: Metric, labels: NDArray[Any], answers: Answers, classes: Classes | None
) -> Floats:
    table = answers.probabilities
    count = 2 if table is None else table.shape[1]
    known = resolved_classes(classes, count, labels, metric.title)
    codes = known.codes(labels)
    if (codes < 0).any():
        wrong = labels[codes < 0]
        raise InvalidDataset(
            f"{metric.title}: {len(wrong)} labels are no class of the model, such as "
            f"{wrong[0]!r}; its classes are {known}",
            field="label",
        )
    if known.size > 2:
        return _over_classes(metric, codes, answers, known)
    if answers.score is None:
        raise InvalidDataset(
            f"{metric.title} needs a score, the probability of the positive class, and there is "
            f"none{_why_no_score(answers)}",
            field="score",
        )
    return _LOSSES_OF_SCORES[metric.name](codes.astype(float), answers.score)


def _over_classes(
    metric: Metric, codes: NDArray[np.int64], answers: Answers, known: Classes
) -> Floats:
    """``codes`` are places in ``known``; a model's own columns may be others."""
    table = answers.probabilities
    own = answers.classes or Classes.numbered(0 if table is None else table.shape[1]).values
    if table is None and answers.score is not None and len(own) == 2:
        table = np.column_stack([1 - answers.score, answers.score])
    if table is None:
        raise InvalidDataset(
            f"{metric.title} of {known.size} classes needs the probability of each class, and "
            "there is none; the traffic's column score has them as a list, one number for each "
            f"class in the order {known}; a model needs predict_proba",
            field="score",
        )
    columns = Classes(tuple(own)).codes(np.array(known.values, dtype=object))
    return _LOSSES_OF_CLASSES[metric.name](columns[codes], table)


def _why_no_score(*answers: Answers) -> str:
    table = next((item.probabilities for item in answers if item.probabilities is not None), None)
    if table is not None:
        return f": there are probabilities of {table.shape[1]} classes"
    return ": the model returns predictions only, or the traffic's column score is missing or empty"


def _fit(metric: Metric, answers: Answers) -> Floats:
    values = answers.fits.get(metric.name)
    if values is None:
        raise InvalidDataset(f"{metric.title}: {metric.lacks}", field="model")
    return values


def _by_prediction(metric: Metric, labels: NDArray[Any], predictions: NDArray[Any]) -> Floats:
    if metric.binary:
        if is_text(labels) != is_text(predictions):
            raise InvalidDataset(
                "labels and predictions are of different kinds (text and numbers), so that none "
                "could ever agree",
                field="label",
            )
        return zero_one(labels, predictions)
    known = _numbers(labels, f"{metric.title} needs numbers as labels")
    predicted = _numbers(predictions, f"{metric.title} needs numbers as predictions")
    return _ERRORS[metric.name](known, predicted)


def _numbers(values: NDArray[Any], problem: str) -> Floats:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise InvalidDataset(problem, field="label") from None


def is_text(values: NDArray[Any]) -> bool:
    """Whether the values are texts."""
    return values.dtype.kind in "US" or (
        values.dtype.kind == "O" and any(isinstance(value, str) for value in values[:100])
    )
