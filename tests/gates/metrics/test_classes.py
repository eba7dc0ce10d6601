from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model_lifecycle.gates.metrics.classes import Classes, declared_classes
from model_lifecycle.gates.metrics.definitions import METRICS
from model_lifecycle.gates.metrics.losses import Answers, losses
from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4]])


@pytest.mark.parametrize(
    ("values", "labels", "codes"),
    [
        ((0, 1), np.array([True, False]), [1, 0]),
        ((0, 1), np.array([1.0, 0.0]), [1, 0]),
        ((False, True), np.array([1, 0]), [1, 0]),
        (("no", "yes"), np.array(["yes", "no"]), [1, 0]),
        (("no", "yes"), np.array(["Yes", "no"], dtype=object), [-1, 0]),
        ((0, 1), np.array(["1", "0"], dtype=object), [-1, -1]),
        (("no", "yes"), np.array([1, 0]), [-1, -1]),
        ((0, 1), np.array([1, 2], dtype=object), [1, -1]),
    ],
)
def test_codes(values: tuple[Any, ...], labels: np.ndarray, codes: list[int]) -> None:
    """1, 1.0 and True are one label; text is never a number."""
    assert Classes(values).codes(labels).tolist() == codes


def test_declared_classes() -> None:
    """The policy's positive label is the last of two; classes of both models count."""
    assert declared_classes([("no", "yes"), None], None, field="x") == Classes(("no", "yes"))
    assert declared_classes([("no", "yes")], "no", field="x") == Classes(("yes", "no"))
    assert declared_classes([("a", "b"), ("b", "c")], None, field="x") == Classes(("a", "b", "c"))
    assert declared_classes([None], None, field="x") is None
    assert declared_classes([None], "yes", field="x") == Classes(("yes",), any_other=True)


@pytest.mark.parametrize("classes", [("no", "yes"), ("a", "b", "churn")])
def test_positive_label_that_does_not_fit(classes: tuple[str, ...]) -> None:
    """A positive label that is no class, or one of more than two classes, is refused."""
    with pytest.raises(InvalidInput, match="classes are") as caught:
        declared_classes([classes], "churn", field="policy.validation.positive_label")

    assert caught.value.field == "policy.validation.positive_label"


def test_two_kinds_of_negative_labels() -> None:
    """Where only the positive class is known, a third label is outside."""
    labels = np.array(["yes", "no", "no", "maybe"], dtype=object)

    outside = Classes(("yes",), any_other=True).outside(labels)

    assert outside.tolist() == [False, False, False, True]


def test_text_labels_as_numbers() -> None:
    """Brier score and log loss of text labels are those of 0 and 1."""
    scores = np.array([0.9, 0.2])
    for name in ("brier", "log_loss"):
        as_numbers = losses(METRICS[name], np.array([1, 0]), Answers(scores > 0.5, scores))
        as_text = losses(
            METRICS[name],
            np.array(["churn", "stay"], dtype=object),
            Answers(scores > 0.5, scores),
            classes=Classes(("stay", "churn")),
        )
        assert as_text.tolist() == as_numbers.tolist()


def test_several_classes_as_scikit_learn_has_them() -> None:
    """Brier score and log loss over all classes have the means that scikit-learn gives."""
    from sklearn.metrics import brier_score_loss, log_loss

    labels = np.array(["a", "c", "b"], dtype=object)
    answers = Answers(labels, None, PROBABILITIES, ("a", "b", "c"))
    classes = Classes(("a", "b", "c"))

    brier = losses(METRICS["brier"], labels, answers, classes=classes).mean()
    log = losses(METRICS["log_loss"], labels, answers, classes=classes).mean()

    assert brier == pytest.approx(brier_score_loss(labels, PROBABILITIES, labels=list("abc")))
    assert log == pytest.approx(log_loss(labels, PROBABILITIES, labels=list("abc")))


def test_class_that_one_model_does_not_know() -> None:
    """A model of two classes gave nothing to a third; its columns count by name."""
    classes = Classes(("a", "b", "c"))
    answers = Answers(np.array(["b", "b"]), np.array([0.6, 0.6]), None, ("a", "b"))

    brier = losses(METRICS["brier"], np.array(["c", "b"], dtype=object), answers, classes=classes)

    assert brier == pytest.approx([0.6**2 + 0.4**2 + 1, 2 * 0.4**2])


def test_missing_probabilities_are_named() -> None:
    """Several classes without probabilities: the error says what has to be logged."""
    labels = np.array(["a", "b", "c"], dtype=object)

    with pytest.raises(InvalidDataset, match="column score has them as a list"):
        losses(METRICS["brier"], labels, Answers(labels), classes=Classes(("a", "b", "c")))
