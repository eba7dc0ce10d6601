"""The life of a version, told a second time and independently of the table."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from model_lifecycle.registry.domain.errors import InvalidInput, InvalidTransition
from model_lifecycle.registry.domain.stages import (
    Cause,
    Gate,
    Requirement,
    Stage,
    parse_stage,
    requirement,
)

D, S, P, A, X = Stage
EVERYTHING = list(product(Stage, Stage, Cause))


def _allowed(source: Stage, target: Stage, cause: Cause) -> bool:
    """The design's section 4 in words of its own."""
    match cause:
        case Cause.REQUEST:
            forwards = (source, target) in {(D, S), (S, P), (P, A)}
            back_to_the_start = target is D and source in {S, P, A}
            return forwards or back_to_the_start
        case Cause.SUPERSEDED:
            return source is P and target is A
        case Cause.ROLLBACK:
            return (source, target) in {(P, D), (A, P)}
        case Cause.DELETION:
            return target is X and source in {D, S}
        case Cause.ERASURE:
            return target is X and source in {D, S, A}


@pytest.mark.parametrize(("source", "target", "cause"), EVERYTHING)
def test_every_pair_of_stages_is_decided(source: Stage, target: Stage, cause: Cause) -> None:
    """Each of the moves is either one of the life of a version, or refused."""
    if _allowed(source, target, cause):
        assert isinstance(requirement(source, target, cause), Requirement)
        return
    with pytest.raises(InvalidTransition) as refused:
        requirement(source, target, cause)

    assert (refused.value.source, refused.value.target) == (source, target)
    assert refused.value.details() == {"from": source.value, "to": target.value}


def test_what_each_move_requires() -> None:
    """Proof on the way up, a reason on the way down, nothing for what follows from another."""
    expected = {
        (D, S, Cause.REQUEST): Requirement(any_gate=(Gate.VALIDATION,)),
        (S, P, Cause.REQUEST): Requirement(
            (Gate.SHADOW, Gate.AB_TEST), approval_by_policy=True, checks_by_policy=True
        ),
        (P, A, Cause.REQUEST): Requirement(reason=True),
        (P, A, Cause.SUPERSEDED): Requirement(),
        (P, D, Cause.REQUEST): Requirement(reason=True),
        (S, D, Cause.REQUEST): Requirement(reason=True),
        (A, D, Cause.REQUEST): Requirement(reason=True),
        (P, D, Cause.ROLLBACK): Requirement(reason=True),
        (A, P, Cause.ROLLBACK): Requirement(reason=True),
        (D, X, Cause.DELETION): Requirement(),
        (S, X, Cause.DELETION): Requirement(),
        (D, X, Cause.ERASURE): Requirement(reason=True),
        (S, X, Cause.ERASURE): Requirement(reason=True),
        (A, X, Cause.ERASURE): Requirement(reason=True),
    }
    actual = {move: requirement(*move) for move in EVERYTHING if _allowed(*move)}

    assert actual == expected


def test_only_proof_or_a_rollback_leads_into_production() -> None:
    """No edge into production asks for nothing."""
    into = {
        (source, cause): requirement(source, P, cause)
        for source, cause in product(Stage, Cause)
        if _allowed(source, P, cause)
    }

    assert {key: bool(need.any_gate or need.reason) for key, need in into.items()} == {
        (S, Cause.REQUEST): True,
        (A, Cause.ROLLBACK): True,
    }


@pytest.mark.parametrize(
    ("source", "target", "advice"),
    [
        (D, P, "staging first"),
        (A, P, "rollback"),
        (P, P, "there already"),
        (P, X, "retire it"),
        (A, X, "kept as a record"),
        (S, A, "production or development"),
        (X, D, "final"),
    ],
)
def test_the_refusal_says_what_to_do_instead(source: Stage, target: Stage, advice: str) -> None:
    """The mistakes people make are answered with the way that there is."""
    with pytest.raises(InvalidTransition, match=advice):
        requirement(source, target)


@pytest.mark.parametrize("stage", [D, S, P, A])
def test_stages_are_read_from_their_names(stage: Stage) -> None:
    """Both the stage and its name are understood."""
    assert (parse_stage(stage), parse_stage(stage.value)) == (stage, stage)


@pytest.mark.parametrize(
    "value",
    ["deleted", X, "Production", "production\n", " production", "", None, 1, [], {}, "prod"],
)
def test_nothing_else_is_a_stage(value: Any) -> None:
    """A deleted version is a record; nobody can ask for that stage."""
    with pytest.raises(InvalidInput, match="development, staging, production, archived"):
        parse_stage(value)
