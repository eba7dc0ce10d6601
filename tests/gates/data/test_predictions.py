from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from support.present import present

from model_lifecycle.gates.data import predictions
from model_lifecycle.gates.data.columns import finite
from model_lifecycle.gates.data.predictions import Needs, answers, clipped, recorded
from model_lifecycle.gates.metrics.losses import Answers
from model_lifecycle.registry.domain.errors import InvalidDataset
from model_lifecycle.registry.frameworks.sklearn_model.predictor import SklearnPredictor


@pytest.fixture
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=500), "b": rng.normal(size=500)})


@pytest.fixture
def model(rows: pd.DataFrame) -> SklearnPredictor:
    """It cannot take nulls."""
    return SklearnPredictor(LogisticRegression().fit(rows, rows["a"] > 0), None)


@pytest.mark.parametrize("bad", [[3], [0, 499], [7, 8, 9, 250], list(range(0, 500, 5))])
def test_bad_rows_do_not_lose_the_others(
    rows: pd.DataFrame, model: SklearnPredictor, bad: list[int]
) -> None:
    """Rows on which a model raises have no answer, all others the answer that they had."""
    complete = answers(model, rows)
    holes = rows.copy()
    holes.loc[bad, "a"] = np.nan

    result = answers(model, holes)

    good = np.ones(500, dtype=bool)
    good[bad] = False
    assert (finite(result) == good).all()
    assert present(result.score)[good].tolist() == pytest.approx(
        present(complete.score)[good].tolist()
    )
    assert (result.prediction[good] == complete.prediction[good]).all()
    assert "contains NaN" in result.failure


def test_model_that_raises_on_every_row(
    rows: pd.DataFrame, model: SklearnPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of calls is limited, and no row has an answer."""
    monkeypatch.setattr(predictions, "MOST_CALLS", 50)

    result = answers(model, rows.assign(a=np.nan))

    assert not finite(result).any()
    assert result.prediction.shape == (500,)


def test_trouble_of_the_machine_is_no_failure(
    rows: pd.DataFrame, model: SklearnPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of memory is not the model's fault."""

    def full(frame: pd.DataFrame) -> None:
        raise MemoryError

    monkeypatch.setattr(model, "predict", full)

    with pytest.raises(MemoryError):
        answers(model, rows)


def test_positive_label_turns_the_score(rows: pd.DataFrame) -> None:
    """The score is the probability of the policy's positive label, whichever the order."""
    model = SklearnPredictor(
        LogisticRegression().fit(rows, np.where(rows["a"] > 0, "churn", "stay")), None
    )

    churn, stay = answers(model, rows, Needs("churn")).score, answers(model, rows).score

    assert churn == pytest.approx(1 - present(stay))


def test_rounded_scores_are_clipped() -> None:
    """Scores that rounding put outside of [0, 1] are clipped and counted; others stay."""
    given = Answers(np.arange(4), np.array([1.0000001, -1e-7, 1.1, 0.5]))

    result, number = clipped(given)

    assert present(result.score).tolist() == [1.0, 0.0, 1.1, 0.5]
    assert number == 2
    assert finite(result).tolist() == [True, True, False, True]


def test_recorded_probabilities() -> None:
    """A list in the column score holds the probability of each class; a missing one is NaN."""
    frame = pd.DataFrame({"prediction": ["a", "b"], "score": [[0.5, 0.3, 0.2], None]})

    result = recorded(frame, ("a", "b", "c"))

    assert present(result.probabilities)[0].tolist() == [0.5, 0.3, 0.2]
    assert finite(result).tolist() == [True, False]


def test_recorded_probabilities_of_other_classes() -> None:
    """A list of another length is named, with the number of classes."""
    frame = pd.DataFrame({"prediction": ["a"], "score": [[0.5, 0.5]]})

    with pytest.raises(InvalidDataset, match="list of 2 numbers, but there are 3 classes"):
        recorded(frame, ("a", "b", "c"))
