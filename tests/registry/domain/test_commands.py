"""A command's fingerprint covers all of its fields: another request never passes for the first."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.registry.domain import commands
from model_lifecycle.registry.domain.authorization import Principal, Role
from model_lifecycle.registry.domain.canonical_json import digest
from model_lifecycle.registry.domain.commands import Command
from model_lifecycle.registry.domain.evidence import Evidence, Verdict
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.domain.preconditions import ANY
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.domain.stages import Gate, Stage

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
VERSIONS = st.integers(1, 5)
DOCUMENTS = st.dictionaries(TEXTS, VERSIONS | TEXTS, max_size=2)
#: Values of each field, whatever the command.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "actor": st.builds(
        Principal,
        st.sampled_from(["kim", "lee"]),
        on_behalf_of=st.sampled_from([None, "ann", "bob"]),
    ),
    "tenant_id": st.sampled_from(["acme", "umbrella"]),
    "model_id": st.sampled_from(["churn", "fraud"]),
    "version": VERSIONS,
    "target": st.sampled_from(Stage),
    "reason": TEXTS,
    "expected_production": st.sampled_from([ANY, None, 1, 2]),
    "expected_epoch": st.just(ANY) | st.frozensets(VERSIONS, max_size=2),
    "force": st.booleans(),
    "without_verification": st.booleans(),
    "to_version": st.none() | VERSIONS,
    "policy": st.builds(
        PromotionPolicy,
        validation=DOCUMENTS,
        require_approval=st.booleans(),
        required_checks=st.sampled_from([(), ("audit",)]),
    ),
    "evidence": st.builds(
        Evidence,
        evidence_id=st.sampled_from(["shadow/1", "shadow/2"]),
        gate=st.sampled_from(Gate),
        verdict=st.sampled_from(Verdict),
        bundle_digest=TEXTS,
        baseline=st.none() | VERSIONS,
        policy_fingerprint=TEXTS,
        summary=DOCUMENTS,
    ),
    "plan": DOCUMENTS,
    "model_class": st.sampled_from(["a.B", "c.D"]),
    "run_id": st.none() | TEXTS,
    "training_log": st.none() | TEXTS,
    "framework": st.sampled_from(["sklearn", "onnx"]),
    "model_type": st.sampled_from(["regression", "clustering"]),
    "description": TEXTS,
    "tags": DOCUMENTS,
    "dataset": DOCUMENTS,
}


def _command(kind: type[Command]) -> st.SearchStrategy[Command]:
    return st.builds(kind, **{item.name: VALUES[item.name] for item in fields(kind)})


@pytest.mark.parametrize("kind", Command.__subclasses__(), ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_field_changes_the_fingerprint(kind: type[Command], data: st.DataObject) -> None:
    """Two commands have one fingerprint exactly if they are equal."""
    first = data.draw(_command(kind))
    name = data.draw(st.sampled_from([item.name for item in fields(kind)]))
    second = replace(first, **{name: data.draw(VALUES[name])})

    assert (first.fingerprint() == second.fingerprint()) is (first == second)


def test_the_kind_of_a_command_is_part_of_it() -> None:
    """A rollback and a deletion with the same words are two requests."""
    common: dict[str, Any] = {
        "actor": Principal("kim"),
        "tenant_id": "acme",
        "model_id": "churn",
        "version": 1,
    }
    adopted = commands.AdoptVersion(**common)
    deleted = commands.DeleteVersions(**common, reason="", expected_epoch=ANY)

    assert adopted.fingerprint() != deleted.fingerprint()


def test_roles_are_no_part_of_a_request() -> None:
    """A key that gets another role meanwhile still repeats its request."""
    common: dict[str, Any] = {"tenant_id": "acme", "model_id": "churn", "version": 1}
    first = commands.AdoptVersion(actor=Principal("kim"), **common)
    second = commands.AdoptVersion(actor=Principal("kim", frozenset(Role)), **common)

    assert first.fingerprint() == second.fingerprint()


def test_a_field_that_was_added_later_leaves_older_fingerprints() -> None:
    """A request that a program without the field began is repeated by one that has it."""
    rollback = commands.RollBack(
        actor=Principal("kim"),
        tenant_id=TenantId("acme"),
        model_id=ModelId("churn"),
        to_version=None,
        reason="late",
        expected_production=ANY,
        expected_epoch=ANY,
    )
    of_older = digest(
        {
            "command": "RollBack",
            "actor": {"name": "kim", "on_behalf_of": None},
            "tenant_id": "acme",
            "model_id": "churn",
            "to_version": None,
            "reason": "late",
            "expected_production": {"enum": "any"},
            "expected_epoch": {"enum": "any"},
        },
        field="arguments",
    )

    assert rollback.fingerprint() == of_older
    assert replace(rollback, without_verification=True).fingerprint() != of_older
