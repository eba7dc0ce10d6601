"""A policy is plain JSON with a fingerprint; what is misspelt or odd in it is an error."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy

POLICY = PromotionPolicy(
    validation={"metrics": [{"name": "brier", "margin": 0.005}]},
    shadow={"blocks": 28},
    require_approval=True,
    evidence_max_age_days=14,
)


def test_a_policy_survives_its_document() -> None:
    """Written and read again it is the same, by its fingerprint too."""
    again = PromotionPolicy.from_document(POLICY.document())

    assert again.document() == POLICY.document()
    assert again.fingerprint == POLICY.fingerprint
    assert again.max_age == timedelta(days=14)


def test_the_default_asks_for_no_approval_and_thirty_days() -> None:
    """An empty document is the default policy."""
    assert PromotionPolicy.from_document({}) == PromotionPolicy()
    assert PromotionPolicy().document() == {
        "validation": {},
        "shadow": {},
        "ab_test": {},
        "require_approval": False,
        "evidence_max_age_days": 30.0,
    }


def test_the_fingerprint_of_the_default_is_known() -> None:
    """Ledgers hold it: a change of it would make their evidence worthless."""
    assert PromotionPolicy().fingerprint == (
        "sha256:4d5f1fd774a0b8af72b04e9ae7b61d5ce250ea377b2b12e13d393e68a11036d0"
    )


def test_requiring_onnx_changes_the_fingerprint_and_not_requiring_it_does_not() -> None:
    """Policies that were set before there was the field keep their fingerprints."""
    requiring = PromotionPolicy(require_onnx=True)

    assert PromotionPolicy(require_onnx=False).fingerprint == PromotionPolicy().fingerprint
    assert requiring.fingerprint != PromotionPolicy().fingerprint
    assert PromotionPolicy.from_document(requiring.document()) == requiring


def test_whole_days_and_their_float_are_one_policy() -> None:
    """A policy read back from JSON or YAML keeps its fingerprint."""
    assert (
        PromotionPolicy(evidence_max_age_days=30).fingerprint
        == PromotionPolicy(evidence_max_age_days=30.0).fingerprint
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"validation": {}},
        {"shadow": {"blocks": 29}},
        {"ab_test": {"unit": "user"}},
        {"require_approval": False},
        {"evidence_max_age_days": 14.5},
    ],
)
def test_every_part_changes_the_fingerprint(changes: dict[str, Any]) -> None:
    """Nothing of a policy can be weakened without a new fingerprint."""
    changed = PromotionPolicy.from_document({**POLICY.document(), **changes})

    assert changed.fingerprint != POLICY.fingerprint


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (None, "policy"),
        ([], "policy"),
        ("{}", "policy"),
        ({"shadw": {}}, "policy"),
        ({7: {}}, "policy"),
        ({"shadow": None}, "policy.shadow"),
        ({"validation": []}, "policy.validation"),
        ({"ab_test": "x"}, "policy.ab_test"),
        ({"require_approval": "no"}, "policy.require_approval"),
        ({"require_approval": 1}, "policy.require_approval"),
        ({"evidence_max_age_days": 0}, "policy.evidence_max_age_days"),
        ({"evidence_max_age_days": -1}, "policy.evidence_max_age_days"),
        ({"evidence_max_age_days": float("nan")}, "policy.evidence_max_age_days"),
        ({"evidence_max_age_days": float("inf")}, "policy.evidence_max_age_days"),
        ({"evidence_max_age_days": True}, "policy.evidence_max_age_days"),
        ({"evidence_max_age_days": "30"}, "policy.evidence_max_age_days"),
        ({"evidence_max_age_days": 3651}, "policy.evidence_max_age_days"),
        ({"shadow": {"margin": float("nan")}}, "policy"),
        ({"shadow": {"margin": {1, 2}}}, "policy"),
    ],
)
def test_odd_policies_are_refused(document: Any, field: str) -> None:
    """The error names the part; a misspelt limit never passes for none."""
    with pytest.raises(InvalidInput) as caught:
        PromotionPolicy.from_document(document)

    assert caught.value.field == field


def test_additional_checks_are_named_once_and_in_order() -> None:
    """Two policies that ask for the same checks are the same; without any, nothing is added."""
    first = PromotionPolicy(required_checks=("b", "a", "b"))

    assert first.document()["required_checks"] == ["a", "b"]
    assert PromotionPolicy.from_document(first.document()) == first
    assert "required_checks" not in PromotionPolicy().document()


@pytest.mark.parametrize("checks", ["audit", ["A"], [""], [1], None, 3, [["a"]]])
def test_odd_checks_are_refused(checks: Any) -> None:
    """The field is named."""
    with pytest.raises(InvalidInput, match="required_checks"):
        PromotionPolicy(required_checks=checks)


_KEY = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA{}\n-----END PUBLIC KEY-----\n"


def test_trusted_keys_are_listed_once_and_in_one_form() -> None:
    """However its lines are broken, a key is the same key; without any, nothing is added."""
    first, second = _KEY.format("b" * 43 + "="), _KEY.format("a" * 43 + "=")
    policy = PromotionPolicy(trusted_keys=(first, second, f"  {first}".replace("\n", "\r\n")))

    assert policy.document()["trusted_keys"] == [second, first]
    assert PromotionPolicy.from_document(policy.document()) == policy
    assert "trusted_keys" not in PromotionPolicy().document()


@pytest.mark.parametrize(
    "keys", ["key", [""], [1], None, [_KEY.format("?")], [_KEY.replace("PUBLIC", "PRIVATE")]]
)
def test_odd_keys_are_refused(keys: Any) -> None:
    """The field is named."""
    with pytest.raises(InvalidInput, match="trusted_keys"):
        PromotionPolicy(trusted_keys=keys)
