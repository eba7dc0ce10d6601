from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from model_lifecycle.gates.aggregates.replay import BlockSummary, ReplayAggregate
from model_lifecycle.gates.checks.slices import slice_checks
from model_lifecycle.gates.inference.decision import combine, deciding_sentence
from model_lifecycle.gates.inference.sequential import judge_blocks, slice_selections
from model_lifecycle.gates.policy.hypotheses import Hypothesis, policy_hypotheses
from model_lifecycle.gates.policy.promotion import Comparison, ShadowPolicy, SliceLimit
from model_lifecycle.gates.policy.slices import select_slices
from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.evidence import Verdict

LIMIT = SliceLimit("shop", "brier", margin=0.02)


def _claim(limit: SliceLimit = LIMIT) -> Hypothesis:
    (hypothesis,) = policy_hypotheses((), (), (limit,), champion=True)
    return hypothesis


def test_all_values_are_judged_up_to_the_policys_number() -> None:
    """Of 61 values each is judged, the largest first."""
    sizes = {f"shop {number:02}": 1000 - number for number in range(61)}

    selection = select_slices(_claim(), sizes)

    assert selection.judged == tuple(sizes)
    (check,) = slice_checks([selection], "requests")
    assert check.ok
    assert "61 of 61 values of shop" in check.message


@pytest.mark.parametrize(
    ("unjudged", "otherwise"), [("inconclusive", Verdict.INCONCLUSIVE), ("ignore", None)]
)
def test_values_beyond_the_number_are_reported_and_the_policy_decides(
    unjudged: str, otherwise: Verdict | None
) -> None:
    """Values that are not judged are counted, and keep the gate from PASS by default."""
    hypothesis = _claim(replace(LIMIT, max_values=50, unjudged=unjudged))

    selection = select_slices(hypothesis, {f"{number}": 200 for number in range(61)})
    (check,) = slice_checks([selection], "rows")

    assert len(selection.judged) == 50
    assert (check.ok, check.otherwise) == (False, otherwise)
    assert "50 of 61 values" in check.message
    assert "11 more (2 200 rows) not judged: the policy's max_values is 50" in check.message


def test_small_values_are_counted() -> None:
    """Values below min_rows are not judged, and the report says how many they are."""
    selection = select_slices(_claim(), {"large": 100, "small": 99, "tiny": 1})

    assert (selection.judged, selection.small, selection.small_rows) == (("large",), 2, 100)
    (check,) = slice_checks([selection], "rows")
    assert check.ok
    assert "2 with fewer than 100 rows each (100 in all) not judged" in check.message


def test_the_choice_does_not_depend_on_the_order() -> None:
    """Of values of equal size the first by name are judged."""
    hypothesis = _claim(replace(LIMIT, max_values=2))

    assert select_slices(hypothesis, {"b": 200, "c": 200, "a": 200}).judged == ("a", "b")


def test_a_shadow_test_with_unjudged_slices_does_not_pass() -> None:
    """All demands are met, and the sentence names the slices that nobody looked at."""
    policy = ShadowPolicy(
        comparisons=(Comparison("brier", 0.01),), slices=(replace(LIMIT, max_values=1),)
    )
    comparison, part = policy_hypotheses(policy.comparisons, (), policy.slices, champion=True)
    x = np.full(200, 0.05)
    cell = BlockSummary.of(x, np.zeros(200), -x)
    aggregate = ReplayAggregate(
        blocks={
            f"2024-03-{day:02} 00:00": {
                (comparison.key, None): cell + cell,
                (part.key, "north"): cell,
                (part.key, "south"): cell,
            }
            for day in range(1, 32)
        }
    )

    rows, _ = judge_blocks(policy, (comparison, part), aggregate)
    checks = tuple(slice_checks(slice_selections((comparison, part), aggregate), "requests"))
    verdict = combine(rows, checks)

    assert rows[0].verdict is Verdict.PASS
    assert verdict is Verdict.INCONCLUSIVE
    assert "1 of 2 values of shop judged" in deciding_sentence(verdict, rows, checks)


@pytest.mark.parametrize("values", [{"max_values": 0}, {"unjudged": "maybe"}])
def test_wrong_values_are_refused(values: dict[str, Any]) -> None:
    """A limit that cannot be is refused by name."""
    with pytest.raises(InvalidInput, match=next(iter(values))):
        replace(LIMIT, **values)


def test_defaults_leave_the_fingerprint_alone() -> None:
    """A policy that does not use the new fields has the document that it had."""
    assert "max_values" not in LIMIT.document()
    assert replace(LIMIT, max_values=50).document()["max_values"] == 50
