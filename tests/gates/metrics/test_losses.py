from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as oracle

from model_lifecycle.gates.metrics.definitions import METRICS
from model_lifecycle.gates.metrics.losses import Answers, losses
from model_lifecycle.registry.domain.errors import InvalidDataset

RNG = np.random.default_rng(2)
LABELS = (RNG.random(500) < 0.4).astype(int)
SCORES = RNG.random(500)
BINARY = Answers((SCORES > 0.5).astype(int), SCORES)
TRUE, PREDICTED = RNG.normal(10, 3, 500), RNG.normal(10, 3, 500)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("brier", oracle.brier_score_loss(LABELS, SCORES)),
        ("log_loss", oracle.log_loss(LABELS, SCORES)),
        ("zero_one", oracle.zero_one_loss(LABELS, BINARY.prediction)),
        ("accuracy", 1 - oracle.accuracy_score(LABELS, BINARY.prediction)),
    ],
)
def test_classification(name: str, expected: float) -> None:
    """The mean loss is scikit-learn's measure; of accuracy it is the complement."""
    assert expected == pytest.approx(losses(METRICS[name], LABELS, BINARY).mean())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("absolute_error", oracle.mean_absolute_error(TRUE, PREDICTED)),
        ("squared_error", oracle.mean_squared_error(TRUE, PREDICTED)),
    ],
)
def test_regression(name: str, expected: float) -> None:
    """The mean loss is scikit-learn's measure."""
    assert expected == pytest.approx(losses(METRICS[name], TRUE, Answers(PREDICTED)).mean())


def test_a_metric_without_a_loss_of_rows_is_no_other_metric() -> None:
    """An index of a table of clusters is never computed as a squared error."""
    with pytest.raises(ValueError, match="adjusted_rand is a measure of a table"):
        losses(METRICS["adjusted_rand"], LABELS, BINARY)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, item in METRICS.items()
        if item.labels and item.uses in ("score", "prediction")
    ],
)
def test_within_its_span(name: str) -> None:
    """No request costs more than the measure's span, a certain and wrong score included."""
    metric = METRICS[name]
    if metric.span is None:
        return
    answers = Answers(np.array([0, 1]), np.array([0.0, 1.0]))

    values = losses(metric, np.array([1, 0]), answers)

    assert values.max() == pytest.approx(metric.span)


def test_bound() -> None:
    """A bound clips the loss of each request."""
    values = losses(
        METRICS["absolute_error"], np.array([0.0, 0.0]), Answers(np.array([1.0, 9.0])), 5
    )

    assert values.tolist() == [1.0, 5.0]


def test_text_labels() -> None:
    """Accuracy works on names of classes."""
    labels = np.array(["a", "b", "b"], dtype=object)

    values = losses(METRICS["accuracy"], labels, Answers(np.array(["a", "a", "b"], dtype=object)))

    assert values.tolist() == [0.0, 1.0, 0.0]


def test_truth_values() -> None:
    """Labels can be true and false."""
    values = losses(METRICS["brier"], LABELS.astype(bool), BINARY)

    assert np.array_equal(losses(METRICS["brier"], LABELS, BINARY), values)


@pytest.mark.parametrize(
    ("name", "labels", "answers", "problem"),
    [
        ("brier", [0, 1], Answers(np.array([0, 1])), "needs a score"),
        ("brier", [0, 2], Answers(np.array([0, 1]), np.array([0.1, 0.2])), "no class of the model"),
        ("brier", ["no", "yes"], Answers(np.array([0, 1]), np.array([0.1, 0.2])), "positive_label"),
        ("accuracy", ["0", "1"], Answers(np.array([0, 1])), "different kinds"),
        ("absolute_error", ["x", "y"], Answers(np.array([0.0, 1.0])), "needs numbers"),
    ],
)
def test_wrong_kinds(name: str, labels: list[Any], answers: Answers, problem: str) -> None:
    """Labels and answers of the wrong kind are an error, not a loss of 1."""
    with pytest.raises(InvalidDataset, match=problem):
        losses(METRICS[name], np.array(labels, dtype=object), answers)
