from __future__ import annotations

import numpy as np
import pytest

from model_lifecycle.gates.policy.criteria import Comparison, Limit, SliceLimit
from model_lifecycle.gates.policy.hypotheses import policy_hypotheses

CHAMPION, CHALLENGER = np.array([0.0, 1.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0, 0.0])


@pytest.mark.parametrize(
    ("limit", "displayed", "holds"),
    [
        (Limit("brier", maximum=0.3), 0.25, True),
        (Limit("brier", maximum=0.2), 0.25, False),
        (Limit("brier", minimum=0.2), 0.25, True),
        (Limit("accuracy", minimum=0.7), 0.75, True),
        (Limit("accuracy", minimum=0.8), 0.75, False),
        (Limit("accuracy", maximum=0.8), 0.75, True),
        (Limit("zero_one", maximum=0.3), 0.25, True),
    ],
)
def test_limits(limit: Limit, displayed: float, holds: bool) -> None:
    """Whatever its direction, a limit holds when the mean of x lies above the threshold, and a
    person reads the measure and the limit as stated."""
    (hypothesis,) = policy_hypotheses((), (limit,), (), champion=True)

    x = hypothesis.values(None, CHALLENGER).mean()

    assert holds == (x > hypothesis.threshold)
    assert displayed == pytest.approx(hypothesis.to_display(x))
    assert hypothesis.configured_threshold == pytest.approx(
        hypothesis.to_display(hypothesis.threshold)
    )


@pytest.mark.parametrize("metric", ["brier", "accuracy"])
def test_comparison(metric: str) -> None:
    """An improvement is positive, whatever the measure's direction."""
    (hypothesis,) = policy_hypotheses((Comparison(metric, 0.1),), (), (), champion=True)

    assert hypothesis.values(CHAMPION, CHALLENGER).tolist() == [0.0, 1.0, 0.0, 0.0]
    assert (hypothesis.threshold, hypothesis.to_display(0.25)) == (-0.1, 0.25)


def test_what_applies() -> None:
    """Comparisons need a champion, and limits for the first version need that there is none."""
    stated = (
        (Comparison("brier", 0.1),),
        (Limit("brier", maximum=0.3), Limit("zero_one", maximum=0.3, applies="first_version")),
        (SliceLimit("a", "brier", margin=0.1), SliceLimit("a", "brier", maximum=0.3)),
    )

    with_champion = [c.key for c in policy_hypotheses(*stated, champion=True)]
    without = [c.key for c in policy_hypotheses(*stated, champion=False)]

    assert with_champion == [
        "comparison:brier:margin:0.1",
        "limit:brier:maximum:0.3",
        "slice:a:brier:margin:0.1",
        "slice:a:brier:maximum:0.3",
    ]
    assert without == [
        "limit:brier:maximum:0.3",
        "limit:zero_one:maximum:0.3",
        "slice:a:brier:maximum:0.3",
    ]
