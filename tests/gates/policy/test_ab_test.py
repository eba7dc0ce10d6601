"""Policies of A/B tests."""

from __future__ import annotations

from typing import Any

import pytest

from model_lifecycle.gates.policy.promotion import (
    ABPolicy,
    OutcomeDemand,
)
from model_lifecycle.registry.domain.errors import InvalidInput

BOUGHT = OutcomeDemand("bought", margin=0.05)


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"outcomes": []},
        {"outcomes": "bought"},
        {"outcomes": [{"kind": "mean"}]},
        {"outcomes": [{"column": "a", "kind": "median"}]},
        {"outcomes": [{"column": "a", "kind": "ratio"}]},
        {"outcomes": [{"column": "a", "margin": -1}]},
        {"outcomes": [{"column": "a"}, {"column": "a"}]},
        {"outcomes": [{"column": "a"}], "share": 1.0},
        {"outcomes": [{"column": "a"}], "max_days": 3},
        {"outcomes": [{"column": "a"}], "arms": 3},
    ],
)
def test_policies_that_cannot_be(bad: dict[str, Any]) -> None:
    """A policy that is wrong in any field is refused."""
    with pytest.raises(InvalidInput):
        ABPolicy.from_document(bad)


def test_policy_document() -> None:
    """A policy is the same after writing and reading."""
    policy = ABPolicy(outcomes=(BOUGHT,), salt="spring")

    assert policy == ABPolicy.from_document(policy.document())
