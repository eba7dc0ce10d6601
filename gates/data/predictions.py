"""Asking a model for its answers, with the ways in which a model can fail to give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model_lifecycle.registry.domain.errors import InvalidDataset
from model_lifecycle.registry.frameworks.protocol import ClusterFit

from ..metrics.losses import Answers, Floats

if TYPE_CHECKING:
    import pandas as pd

    from model_lifecycle.registry.frameworks.protocol import Predictor

#: What a model raises on rows it cannot handle. Trouble of the machine (memory, files) is not
#: among it: that is no judgement on the model.
MODEL_FAILURES = (
    *(ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError),
    InvalidDataset,
)
#: A model that fails on some of many rows is called again for smaller parts, at most this often.
MOST_CALLS = 4000
#: A score may be outside of [0, 1] by so much: rounding of single precision.
SCORE_TOLERANCE = 1e-6


#: The measures of a row that a clustering may have.
FITS: tuple[ClusterFit, ...] = ("inertia", "log_likelihood")


@dataclass(frozen=True)
class Needs:
    """Needs of a gate besides predictions: ``positive`` is the policy's positive label,
    ``fits`` are a clustering's measures of each row, ``scores`` whether scores are."""

    positive: Any = None
    fits: tuple[ClusterFit, ...] = ()
    scores: bool = True


#: Predictions and scores.
USUAL = Needs()


def answers(model: Predictor, frame: pd.DataFrame, needs: Needs = USUAL) -> Answers:
    """The model's answers, one a row. A row on which the model raises has none, predictions of
    None and scores of NaN, and the other rows of its batch keep theirs. A model that gives another
    number of answers than rows has answered none of them.

    Raises :class:`InvalidInput` for a model that cannot give one prediction a row.
    """
    try:
        return _ask(model, frame, needs)
    except MODEL_FAILURES:
        return _joined(_bisected(model, frame, needs))


def scored(
    model: Predictor, frame: pd.DataFrame, sample: NDArray[np.int64], needs: Needs = USUAL
) -> tuple[Answers, NDArray[np.bool_]] | None:
    """The model's scores of all rows and its predictions of a sample, with the sample's mask: a
    prediction takes as long as a score. None for a model without one score a row. Outside of the
    sample the predictions are zeros that mean nothing."""
    try:
        score = model.scores(frame)
    except MODEL_FAILURES:
        return None
    scores, probabilities = _scores(score, len(frame), model.classes, needs.positive)
    if scores is None and probabilities is None:
        return None
    some = answers(model, frame.iloc[sample], Needs(scores=False))
    prediction = np.zeros(len(frame), dtype=some.prediction.dtype)
    prediction[sample] = some.prediction
    mask = np.zeros(len(frame), dtype=bool)
    mask[sample] = True
    return Answers(prediction, scores, probabilities, _classes(model)), mask


def recorded(frame: pd.DataFrame, classes: Sequence[Any] | None = None) -> Answers:
    """The answers that the serving system recorded. ``score`` holds the probability of the
    positive class, or for more than two classes a list with one for each of ``classes``. Without
    any score there are no scores."""
    prediction = _plain(frame["prediction"].to_numpy())
    score = frame.get("score")
    if score is None or not bool(score.notna().any()):
        return Answers(prediction)
    if score.dtype == object:
        table = _table(score, len(classes) if classes else None)
        if table is not None:
            return Answers(prediction, None, table, tuple(classes) if classes else None)
    return Answers(prediction, score.to_numpy(dtype=float, na_value=np.nan))


def clipped(answers: Answers) -> tuple[Answers, int]:
    """The answers with scores that rounding put outside of [0, 1] clipped, and how many rows."""
    score, table = answers.score, answers.probabilities
    if score is None and table is None:
        return answers, 0
    values = score if score is not None else table
    assert values is not None
    with np.errstate(invalid="ignore"):
        outside = ((values < 0) & (values >= -SCORE_TOLERANCE)) | (
            (values > 1) & (values <= 1 + SCORE_TOLERANCE)
        )
    rows = int(np.count_nonzero(outside if outside.ndim == 1 else outside.any(axis=1)))
    if not rows:
        return answers, 0
    inside = np.where(outside, np.clip(values, 0, 1), values)
    return (
        Answers(
            answers.prediction,
            inside if score is not None else None,
            inside if score is None else None,
            answers.classes,
            answers.fits,
            answers.failure,
        ),
        rows,
    )


def _ask(model: Predictor, frame: pd.DataFrame, needs: Needs) -> Answers:
    """The answers to a frame at once; raises what the model raises."""
    rows = len(frame)
    prediction = np.asarray(model.predict(frame))
    if prediction.shape != (rows,):
        return _nothing(rows, f"it returns predictions of shape {prediction.shape} for {rows} rows")
    fits: dict[str, Floats] = {}
    for name in needs.fits:
        values = model.cluster_fit(frame, name)
        if values is not None:
            fits[name] = np.asarray(values, dtype=float)
    if not needs.scores:
        return Answers(_plain(prediction), classes=_classes(model), fits=fits)
    scores = model.scores(frame)
    if scores is not None and np.shape(scores)[:1] != (rows,):
        return _nothing(rows, f"it returns scores of shape {np.shape(scores)} for {rows} rows")
    score, probabilities = _scores(scores, rows, model.classes, needs.positive)
    return Answers(_plain(prediction), score, probabilities, _classes(model), fits)


def _bisected(model: Predictor, frame: pd.DataFrame, needs: Needs) -> list[Answers]:
    """The answers in parts, in order; parts on which the model raises are halved until the rows
    that it cannot answer stand alone."""
    parts: list[Answers] = []
    waiting, calls = [(0, len(frame))], 0
    while waiting:
        start, stop = waiting.pop()
        if calls == MOST_CALLS:
            parts.append(_nothing(stop - start, f"rows were not tried after {calls} calls"))
            continue
        calls += 1
        try:
            parts.append(_ask(model, frame.iloc[start:stop], needs))
        except MODEL_FAILURES as error:
            if stop - start < 2:
                parts.append(_nothing(stop - start, f"{type(error).__name__}: {error}"))
            else:
                middle = (start + stop) // 2
                waiting += [(middle, stop), (start, middle)]
    return parts


def _joined(parts: Sequence[Answers]) -> Answers:
    """Parts one after the other; rows without an answer have scores of NaN where others have
    some."""
    sizes = [part.prediction.size for part in parts]
    answered = [part for part in parts if not part.failure]
    failure = next((part.failure for part in parts if part.failure), "")
    prediction = np.concatenate(
        [part.prediction.astype(object) if failure else part.prediction for part in parts]
    )

    def column(values: Sequence[Floats | None]) -> Floats | None:
        width = next((value.shape[1:] for value in values if value is not None), None)
        if width is None:
            return None
        return np.concatenate(
            [
                np.full((size, *width), np.nan) if value is None else value
                for value, size in zip(values, sizes, strict=True)
            ]
        )

    names = {name for part in answered for name in part.fits}
    fits = {name: column([part.fits.get(name) for part in parts]) for name in sorted(names)}
    return Answers(
        prediction,
        column([part.score for part in parts]) if answered else np.full(sum(sizes), np.nan),
        column([part.probabilities for part in parts]),
        answered[0].classes if answered else None,
        {name: values for name, values in fits.items() if values is not None},
        failure,
    )


def _nothing(rows: int, failure: str) -> Answers:
    line = " ".join(failure.split())
    return Answers(np.full(rows, None, dtype=object), failure=f"{line:.200}")


def _classes(model: Predictor) -> tuple[Any, ...] | None:
    return None if model.classes is None else tuple(model.classes)


def _scores(
    scores: Any, rows: int, classes: Sequence[Any] | None, positive: Any
) -> tuple[Floats | None, Floats | None]:
    """The probability of the positive class, or those of more than two classes."""
    if scores is None:
        return None, None
    values = np.asarray(scores, dtype=float)
    if values.shape == (rows,):
        turned = positive is not None and classes is not None and list(classes)[:1] == [positive]
        return (1 - values if turned and len(classes or ()) == 2 else values), None
    return None, values if values.ndim == 2 and values.shape[1] > 2 else None


def _table(score: pd.Series[Any], classes: int | None) -> Floats | None:
    """Lists of probabilities as a table, missing ones as NaN; None where they are no lists."""
    known = [value for value in score if isinstance(value, list | tuple | np.ndarray)]
    if not known:
        return None
    width = classes or len(known[0])
    if any(len(value) != width for value in known):
        wrong = next(len(value) for value in known if len(value) != width)
        raise InvalidDataset(
            f"the traffic's column score has a list of {wrong} numbers, but there are {width} "
            "classes; log one probability for each class, in the model's order",
            field="score",
        )
    nothing = np.full(width, np.nan)
    return np.array(
        [value if isinstance(value, list | tuple | np.ndarray) else nothing for value in score],
        dtype=float,
    )


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Texts and nullable values as objects, so that they compare by value."""
    return values.astype(object) if values.dtype.kind in "US" else values
