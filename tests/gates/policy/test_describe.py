"""Policies as a report tells them."""

from __future__ import annotations

from dataclasses import replace

from model_lifecycle.gates.policy.describe import policy_sentences
from model_lifecycle.gates.policy.promotion import (
    ABPolicy,
    Comparison,
    LatencyLimit,
    Limit,
    OutcomeDemand,
    ShadowPolicy,
    SliceLimit,
    ValidationPolicy,
)
from model_lifecycle.registry.domain.stages import Gate


def test_demands_in_words() -> None:
    """Every rule reads as what it asks for."""
    policy = ShadowPolicy(
        comparisons=(Comparison("brier", 0.005), Comparison("accuracy", 0.0)),
        limits=(Limit("brier", maximum=0.25, applies="first_version"),),
        slices=(SliceLimit("airport", "brier", margin=0.02),),
        latency=(LatencyLimit(0.95, maximum_ms=250), LatencyLimit(0.5, ratio=1.2)),
        block="day",
        label_horizon_hours=24,
    )

    demands, conditions = policy_sentences(Gate.SHADOW, policy.document())

    assert demands == [
        "Brier score worse than the champion's by less than 0.005",
        "accuracy better than the champion's",
        "Brier score below 0.25, for the first version",
        "for every airport with 100 rows or more: Brier score worse than the champion's by less "
        "than 0.02",
        "95th percentile of latency below 250 ms",
        "50th percentile of latency below 1.2 times the champion's",
    ]
    assert "each day counts as one observation" in conditions
    assert any("younger than 24 hours" in line for line in conditions)


def test_other_gates_in_words() -> None:
    """Validation and A/B test are described as well; a policy of another release is not."""
    validation = ValidationPolicy(limits=(Limit("accuracy", minimum=0.6),))
    ab_test = ABPolicy(outcomes=(OutcomeDemand("spent", "ratio", per="clicks"),), salt="spring")

    assert policy_sentences(Gate.VALIDATION, validation.document())[0] == ["accuracy above 0.6"]
    assert policy_sentences(Gate.AB_TEST, ab_test.document())[0] == [
        "ratio of spent/clicks better than the champion's (higher is better)"
    ]
    assert policy_sentences(Gate.SHADOW, {"of": "another release"}) == ([], [])


def test_a_policy_that_lets_columns_go_says_so() -> None:
    """The report states that the challenger may do with fewer columns."""
    strict = ValidationPolicy(limits=(Limit("accuracy", minimum=0.6),))
    lenient = replace(strict, may_drop_columns=True)
    sentence = "the signature may lack columns of the champion's"

    assert sentence in policy_sentences(Gate.VALIDATION, lenient.document())[1]
    assert sentence not in policy_sentences(Gate.VALIDATION, strict.document())[1]
