"""Asking a model for its answers, with the ways in which a model can fail to give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .losses import Answers

if TYPE_CHECKING:
    import pandas as pd

    from model_lifecycle.registry.frameworks.protocol import Predictor

#: What a model raises on rows it cannot handle. Trouble of the machine (memory, files) is not
#: among it: that is no judgement on the model.
MODEL_FAILURES = (ValueError, TypeError, LookupError, ArithmeticError)


def answers(model: Predictor, frame: pd.DataFrame) -> Answers:
    """The model's answers, one a row. A model that fails on the rows, or gives another number of
    answers, has answered none of them: predictions of None, scores of NaN."""
    rows = len(frame)
    try:
        prediction = np.asarray(model.predict(frame))
        score = model.scores(frame)
    except MODEL_FAILURES:
        return _nothing(rows)
    scores = None if score is None else np.asarray(score, dtype=float)
    if prediction.shape != (rows,) or (scores is not None and scores.shape[:1] != (rows,)):
        return _nothing(rows)
    return Answers(_plain(prediction), scores if scores is not None and scores.ndim == 1 else None)


def scored(
    model: Predictor, frame: pd.DataFrame, sample: NDArray[np.int64]
) -> tuple[Answers, NDArray[np.bool_]] | None:
    """The model's scores of all rows and its predictions of a sample, with the sample's mask: a
    prediction takes as long as a score. None for a model without one score a row. Outside of the
    sample the predictions are zeros that mean nothing."""
    try:
        score = model.scores(frame)
    except MODEL_FAILURES:
        return None
    scores = None if score is None else np.asarray(score, dtype=float)
    if scores is None or scores.shape != (len(frame),):
        return None
    some = answers(_Predicting(model), frame.iloc[sample])
    prediction = np.zeros(len(frame), dtype=some.prediction.dtype)
    prediction[sample] = some.prediction
    mask = np.zeros(len(frame), dtype=bool)
    mask[sample] = True
    return Answers(prediction, scores), mask


def recorded(frame: pd.DataFrame) -> Answers:
    """The answers that the serving system recorded. Without any score there are no scores."""
    score = frame.get("score")
    has_scores = score is not None and bool(score.notna().any())
    return Answers(
        _plain(frame["prediction"].to_numpy()),
        score.to_numpy(dtype=float, na_value=np.nan) if score is not None and has_scores else None,
    )


def agreement(first: Answers, second: Answers) -> NDArray[np.bool_]:
    """Which rows two runs of one model answered alike, to a relative 1e-6."""
    if first.prediction.dtype.kind in "fiub" and second.prediction.dtype.kind in "fiub":
        same = np.isclose(
            first.prediction.astype(float), second.prediction.astype(float), rtol=1e-6, atol=1e-9
        )
    else:
        same = np.asarray(first.prediction == second.prediction, dtype=bool)
    if first.score is not None and second.score is not None:
        same &= np.isclose(first.score, second.score, rtol=1e-6, atol=1e-9)
    return np.asarray(same, dtype=bool)


class _Predicting:
    """A model asked for predictions only."""

    def __init__(self, model: Predictor) -> None:
        self.columns = model.columns
        self.classes = model.classes
        self.predict = model.predict
        self.cluster_fit = model.cluster_fit

    def scores(self, frame: pd.DataFrame) -> None:
        return None


def _nothing(rows: int) -> Answers:
    return Answers(np.full(rows, None, dtype=object), np.full(rows, np.nan))


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Texts and nullable values as objects, so that they compare by value."""
    return values.astype(object) if values.dtype.kind in "US" else values
