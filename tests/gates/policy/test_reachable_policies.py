"""A policy that can never PASS is refused where it is set, with its numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.model_fixture import ModelFixture

from model_lifecycle.gates.policy.files import complete_policy, parse_policy
from model_lifecycle.gates.policy.promotion import (
    Comparison,
    Limit,
    ShadowPolicy,
    SliceLimit,
    promotion_policy,
)
from model_lifecycle.gates.policy.promotion import ValidationPolicy as Validation
from model_lifecycle.registry.domain.errors import InvalidInput

BETTER = (Comparison("brier", 0.01),)


def _shadow(**values: Any) -> ShadowPolicy:
    return ShadowPolicy(**{"comparisons": BETTER, **values})


@pytest.mark.parametrize(
    ("values", "field", "numbers"),
    [
        (
            {"min_blocks": 30, "max_duration_days": 14},
            "shadow.min_blocks",
            ("min_blocks 30", "14 days"),
        ),
        (
            {"block": "hour", "min_blocks": 800},
            "shadow.min_blocks",
            ("min_blocks 800", "672 hours", "max_duration_days 28"),
        ),
        (
            {"min_blocks": 10, "expected_blocks": 20, "max_duration_days": 14},
            "shadow.expected_blocks",
            ("expected_blocks 20", "14 days"),
        ),
        (
            {"min_duration_hours": 700},
            "shadow.min_duration_hours",
            ("min_duration_hours 700", "672 hours"),
        ),
        (
            {"unit": "cluster", "cluster": "user", "weighting": "blocks"},
            "shadow.weighting",
            ("'blocks'", "'cluster'"),
        ),
        (
            {
                "mode": "mirrored",
                "comparisons": (),
                "limits": (Limit("brier", maximum=0.2, applies="first_version"),),
            },
            "shadow.limits",
            ("mirrored", "first version"),
        ),
        (
            {"limits": (Limit("brier", minimum=0.3), Limit("brier", maximum=0.2))},
            "shadow.brier",
            ("above 0.3", "below 0.2"),
        ),
        (
            {
                "slices": (
                    SliceLimit("country", "accuracy", minimum=0.9),
                    SliceLimit("country", "accuracy", maximum=0.8),
                )
            },
            "shadow.accuracy",
            ("above 0.9", "below 0.8"),
        ),
    ],
)
def test_values_that_contradict_each_other(
    values: dict[str, Any], field: str, numbers: tuple[str, str] | tuple[str, str, str]
) -> None:
    """The error names both numbers and what to change."""
    with pytest.raises(InvalidInput) as caught:
        _shadow(**values)

    assert caught.value.field == field
    assert all(text in str(caught.value) for text in numbers)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Limit("brier", maximum=0), "never below 0"),
        (lambda: Limit("zero_one", maximum=1), "allows everything"),
        (lambda: Limit("accuracy", minimum=1), "never above 1"),
        (lambda: Limit("accuracy", minimum=0), "allows everything"),
        (lambda: Limit("absolute_error", maximum=-1), "never below 0"),
        (lambda: SliceLimit("a", "brier", maximum=0), "never below 0"),
        (lambda: SliceLimit("a", "zero_one", margin=1), "allows everything"),
    ],
)
def test_limits_that_nothing_or_everything_meets(make: Callable[[], object], problem: str) -> None:
    """A limit outside of what its measure can be decides nothing."""
    with pytest.raises(InvalidInput, match=problem):
        make()


@pytest.mark.parametrize("gate", ["validation", "shadow"])
def test_every_gate_is_checked(gate: str) -> None:
    """Contradicting limits are refused in each section of a document."""
    limits = [{"metric": "brier", "minimum": 0.3}, {"metric": "brier", "maximum": 0.2}]

    with pytest.raises(InvalidInput, match="can never PASS"):
        complete_policy({gate: {"limits": limits}})


def test_the_defaults_follow_the_block() -> None:
    """Minimums that are not stated fit the block's unit and the longest duration, and all are
    named in the document."""
    day, hour = _shadow(), _shadow(block="hour")

    assert (day.block, day.min_blocks, day.expected_blocks) == ("day", 14, 28)
    assert (hour.min_blocks, hour.expected_blocks) == (30, 168)
    assert day.min_duration_hours == hour.min_duration_hours == 168
    assert day.document()["max_duration_days"] == 28
    assert day.document()["weighting"] == "requests"


def test_a_stored_policy_keeps_its_values() -> None:
    """A document states every value, so that other defaults do not change what it means; a
    positive class only where the policy names one."""
    document = _shadow(block="hour").document()
    named = _shadow(block="hour", positive_label="yes").document()

    assert set(named) == set(ShadowPolicy.__dataclass_fields__)
    assert set(document) == set(named) - {"positive_label"}
    assert ShadowPolicy.from_document(document) == _shadow(block="hour")


def test_a_file_names_the_line() -> None:
    """In YAML the error has the line of the value to change."""
    text = """validation:
  comparisons: [{metric: brier, margin: 0.01}]
shadow:
  comparisons: [{metric: brier, margin: 0.005}]
  min_blocks: 30
  max_duration_days: 14
"""
    with pytest.raises(InvalidInput, match=r"line 5: .*min_blocks 30.*14 days"):
        parse_policy(text)


async def test_the_registry_refuses_it_too(world: ModelFixture) -> None:
    """A document that comes past the classes is checked in the write, and nothing is changed."""
    await world.register("weak")
    before = await world.registry.get_policy(world.tenant, world.model)
    shadow = {"comparisons": [{"metric": "brier", "margin": 0.01}], "min_blocks": 30}

    with pytest.raises(InvalidInput, match="min_blocks 30"):
        await world.registry.set_policy(
            world.tenant, world.model, {"shadow": {**shadow, "max_duration_days": 14}}, actor="kim"
        )

    assert await world.registry.get_policy(world.tenant, world.model) == before


async def test_the_registry_completes_a_policy(world: ModelFixture) -> None:
    """A stored policy is complete, however it was stated, and has one fingerprint."""
    await world.register("weak")
    stated = {"comparisons": [{"metric": "brier", "margin": 0.01}]}

    stored = await world.registry.set_policy(
        world.tenant, world.model, {"validation": stated, "shadow": stated}, actor="kim"
    )

    same = promotion_policy(validation=Validation(comparisons=BETTER), shadow=_shadow())
    assert stored == same
    assert await world.registry.get_policy(world.tenant, world.model) == same
