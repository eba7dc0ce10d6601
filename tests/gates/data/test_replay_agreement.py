"""Recorded answers against those of the same model, as precisely as the log holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model_lifecycle.gates.data.replay_agreement import compare
from model_lifecycle.gates.metrics.losses import Answers

SCORES = np.random.default_rng(3).beta(2, 5, 400)


def _share(recorded: np.ndarray, again: np.ndarray = SCORES, **more: Any) -> float:
    labels = np.zeros(len(again), dtype=int)
    comparison = compare(Answers(labels, recorded), Answers(labels, again), rounded=False, **more)
    return float(comparison.alike.mean())


@pytest.mark.parametrize(
    "logged",
    [
        np.round(SCORES, 6),
        np.round(SCORES, 3),
        np.floor(SCORES * 1e4) / 1e4,
        np.array([float(f"{score:.4g}") for score in SCORES]),
        SCORES.astype(np.float32).astype(float),
        SCORES.astype(np.float16).astype(float),
    ],
    ids=["6 digits", "3 digits", "cut off", "4 significant", "float32", "float16"],
)
def test_scores_of_a_rounded_log(logged: np.ndarray) -> None:
    """The precision of the log is no difference."""
    assert _share(logged) == 1


@pytest.mark.parametrize("digits", [17, 6, 3])
def test_scores_of_another_model(digits: int) -> None:
    """Another model's scores are different ones, however the log is rounded."""
    other = np.clip(SCORES + 0.02, 0, 1)

    assert _share(np.round(other, digits)) < 0.1


def test_a_log_that_is_too_coarse() -> None:
    """One digit is too coarse to compare, unless the policy states a tolerance."""
    coarse = np.round(SCORES, 1)

    assert _share(coarse) < 0.1
    assert _share(coarse, tolerance=0.051) == 1


def test_classes_are_never_near_each_other() -> None:
    """Class 41 is not nearly class 40; a predicted number that the log rounds is."""
    values = np.arange(100.0)
    first, second = Answers(np.round(values)), Answers(values + 0.4)

    assert compare(first, second, rounded=False).alike.sum() == 0
    assert compare(first, second, rounded=True).alike.all()


def test_differences() -> None:
    """By how much numbers differ is there for the message; texts have no differences."""
    comparison = compare(Answers(SCORES, SCORES), Answers(SCORES, SCORES + 0.25), rounded=False)
    texts = Answers(np.array(["a", "b"], dtype=object))

    assert comparison.differences == pytest.approx(np.full(400, 0.25))
    assert compare(texts, texts, rounded=False).differences.size == 0
