from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from model_lifecycle.gates.statistics.auc import auc, compare_auc

RNG = np.random.default_rng(3)
LABELS = RNG.random(300) < 0.3
FIRST = np.round(RNG.normal(LABELS, 1.0), 1)
SECOND = np.round(RNG.normal(LABELS * 1.5, 1.0), 1)


def test_areas_are_sklearns() -> None:
    """Both areas are scikit-learn's, ties included."""
    comparison = compare_auc(LABELS, FIRST, SECOND)

    assert comparison is not None
    expected = (roc_auc_score(LABELS, FIRST), roc_auc_score(LABELS, SECOND))
    assert expected == pytest.approx((comparison.first, comparison.second))
    assert auc(LABELS, FIRST) == pytest.approx(expected[0])


def test_variance_from_all_pairs() -> None:
    """The standard error equals DeLong's definition, worked out pair by pair."""
    placements = []
    for scores in (FIRST, SECOND):
        x, y = scores[LABELS][:, None], scores[~LABELS][None, :]
        wins = (x > y) + 0.5 * (x == y)
        placements.append((wins.mean(axis=1), wins.mean(axis=0)))
    covariance = (
        np.cov(placements[0][0], placements[1][0]) / LABELS.sum()
        + np.cov(placements[0][1], placements[1][1]) / (~LABELS).sum()
    )
    expected = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])

    comparison = compare_auc(LABELS, FIRST, SECOND)

    assert comparison is not None
    assert expected == pytest.approx(comparison.standard_error)


def test_same_model() -> None:
    """A model compared with itself does not differ, and surely so."""
    comparison = compare_auc(LABELS, FIRST, FIRST)

    assert comparison is not None
    assert pytest.approx((comparison.difference, comparison.standard_error)) == (0.0, 0.0)


def test_one_class_only() -> None:
    """With one class only there is no area."""
    assert auc(np.ones(10), FIRST[:10]) is None
    assert compare_auc(np.ones(10), FIRST[:10], SECOND[:10]) is None
