"""Evidence counts only for exactly this, now, under the present policy, and if it says PASS."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.evidence import (
    Evidence,
    Origin,
    Subject,
    Verdict,
    judge_evidence,
    parse_gate,
    parse_verdict,
)
from model_lifecycle.registry.domain.stages import Gate, Requirement, Stage, requirement

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SUBJECT = Subject(
    tenant_id="acme",
    model_id="churn",
    version=2,
    bundle_digest="sha256:" + "b" * 64,
    production=1,
    policy_fingerprint="sha256:" + "c" * 64,
    max_age=timedelta(days=30),
    approval_required=False,
)
FITTING = Evidence(
    evidence_id="e1",
    gate=Gate.SHADOW,
    verdict=Verdict.PASS,
    bundle_digest=SUBJECT.bundle_digest,
    baseline=1,
    policy_fingerprint=SUBJECT.policy_fingerprint,
    summary={"sentence": "worse by 0.02"},
    tenant_id="acme",
    model_id="churn",
    version=2,
    recorded_at=NOW - timedelta(days=1),
    recorded_by="kim",
)
PROMOTION = requirement(Stage.STAGING, Stage.PRODUCTION)


def _judge(*evidence: Evidence, **changes: Any) -> tuple[list[str], list[str]]:
    """Ids of the evidence used, and codes of what is missing."""
    used, missing = judge_evidence(PROMOTION, replace(SUBJECT, **changes), evidence, now=NOW)
    return [item.evidence_id for item in used], [item.code for item in missing]


def test_evidence_that_fits_is_used() -> None:
    """A PASS about this very version, against what is in production now, is enough."""
    assert _judge(FITTING) == (["e1"], [])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tenant_id": "umbrella"}, "other_version"),
        ({"tenant_id": None}, "other_version"),
        ({"model_id": "fraud"}, "other_version"),
        ({"version": 3}, "other_version"),
        ({"version": None}, "other_version"),
        ({"bundle_digest": "sha256:" + "d" * 64}, "digest_mismatch"),
        ({"baseline": None}, "baseline_mismatch"),
        ({"baseline": 2}, "baseline_mismatch"),
        ({"policy_fingerprint": "sha256:" + "d" * 64}, "policy_mismatch"),
        ({"policy_fingerprint": ""}, "policy_mismatch"),
        ({"recorded_at": NOW - timedelta(days=30, microseconds=1)}, "expired"),
        ({"recorded_at": None}, "expired"),
        ({"recorded_at": NOW + timedelta(days=400)}, "future_dated"),
        ({"recorded_at": NOW + timedelta(seconds=61)}, "future_dated"),
        ({"verdict": Verdict.FAIL}, "not_passed"),
        ({"verdict": Verdict.INCONCLUSIVE}, "not_passed"),
        ({"verdict": Verdict.INVALID}, "not_passed"),
        ({"gate": Gate.VALIDATION}, "no_evidence"),
        ({"gate": Gate.APPROVAL}, "no_evidence"),
    ],
)
def test_evidence_that_does_not_fit_is_missing(changes: dict[str, Any], code: str) -> None:
    """One field that differs is enough to make a verdict worth nothing here."""
    assert _judge(replace(FITTING, **changes)) == ([], [code])


def test_without_evidence_nothing_is_proven() -> None:
    """Silence is not a pass, and the gate that is missing is named."""
    _, missing = judge_evidence(PROMOTION, SUBJECT, (), now=NOW)

    assert [item.document() for item in missing] == [
        {
            "code": "no_evidence",
            "gate": "shadow",
            "message": "there is no evidence of the shadow or ab_test gate",
        }
    ]


def test_evidence_lasts_to_the_end_of_its_age() -> None:
    """At exactly the age that the policy allows it still counts."""
    assert _judge(replace(FITTING, recorded_at=NOW - timedelta(days=30))) == (["e1"], [])


def test_a_first_version_is_judged_against_nothing() -> None:
    """Where nothing is in production, evidence with a baseline does not fit, and without does."""
    assert _judge(replace(FITTING, baseline=None), production=None) == (["e1"], [])
    assert _judge(FITTING, production=None) == ([], ["baseline_mismatch"])


@pytest.mark.parametrize("verdict", [item for item in Verdict if item is not Verdict.PASS])
def test_the_newest_verdict_decides(verdict: Verdict) -> None:
    """A later verdict is not outvoted by an earlier PASS, and a later PASS stands."""
    later = replace(FITTING, evidence_id="e2", recorded_at=NOW)

    assert _judge(FITTING, replace(later, verdict=verdict)) == ([], ["not_passed"])
    assert _judge(replace(FITTING, verdict=verdict), later) == (["e2"], [])


def test_what_is_about_something_else_decides_nothing() -> None:
    """A newer verdict about other files neither helps nor hurts."""
    foreign = replace(FITTING, evidence_id="e2", recorded_at=NOW, bundle_digest="sha256:0")

    assert _judge(FITTING, foreign) == (["e1"], [])
    assert _judge(FITTING, replace(foreign, verdict=Verdict.FAIL)) == (["e1"], [])


def test_either_gate_is_enough() -> None:
    """Shadow or A/B test: a PASS of one is a PASS, whatever the other said."""
    ab_test = replace(FITTING, evidence_id="e2", gate=Gate.AB_TEST)

    assert _judge(ab_test) == (["e2"], [])
    assert _judge(replace(FITTING, verdict=Verdict.FAIL), ab_test) == (["e2"], [])


def test_every_gate_that_said_no_is_told() -> None:
    """Two gates that did not pass give two reasons, with the numbers behind them."""
    fail = replace(FITTING, verdict=Verdict.FAIL)
    _, missing = judge_evidence(
        PROMOTION, SUBJECT, (fail, replace(fail, evidence_id="e2", gate=Gate.AB_TEST)), now=NOW
    )

    assert [(item.gate, item.code) for item in missing] == [
        (Gate.SHADOW, "not_passed"),
        (Gate.AB_TEST, "not_passed"),
    ]
    assert "worse by 0.02" in missing[0].message


def test_approval_is_asked_for_by_the_policy() -> None:
    """Where the policy asks for it, proof alone is not enough, nor is approval alone."""
    approval = replace(FITTING, evidence_id="e2", gate=Gate.APPROVAL)

    assert _judge(FITTING, approval_required=True) == (["e1"], ["no_evidence"])
    assert _judge(approval, approval_required=True) == (["e2"], ["no_evidence"])
    assert _judge(FITTING, approval, approval_required=True) == (["e1", "e2"], [])


@pytest.mark.parametrize("decisive", [True, False])
def test_withdrawn_approval_is_none(decisive: bool) -> None:
    """A later FAIL of the approval takes the earlier PASS back."""
    first = replace(FITTING, evidence_id="e2", gate=Gate.APPROVAL)
    second = replace(first, evidence_id="e3", recorded_at=NOW, verdict=Verdict.FAIL)
    evidence = (FITTING, first, second) if decisive else (FITTING, first)

    assert _judge(*evidence, approval_required=True)[1] == (["not_passed"] if decisive else [])


def test_a_move_that_needs_no_proof_looks_at_none() -> None:
    """Retiring is not refused for want of evidence."""
    assert judge_evidence(Requirement(reason=True), SUBJECT, (), now=NOW) == ((), ())


def test_old_proof_does_not_count_again() -> None:
    """Evidence from before a version's return does not count, whatever its time."""
    before = replace(FITTING, epoch=6, recorded_at=NOW)
    after = replace(FITTING, epoch=7, evidence_id="e2")
    _, missing = judge_evidence(PROMOTION, replace(SUBJECT, evidence_since=7), [before], now=NOW)

    assert _judge(before, evidence_since=7) == ([], ["before_last_exit"])
    assert _judge(before, after, evidence_since=7) == (["e2"], [])
    assert "epoch 6, before entry 7 took the version back; run the gate again" in missing[0].message


def test_an_old_approval_does_not_count_again() -> None:
    """The person approved what was there before."""
    approval = replace(FITTING, evidence_id="e2", gate=Gate.APPROVAL, epoch=6)
    passed = replace(FITTING, epoch=7)

    assert _judge(passed, approval, approval_required=True, evidence_since=7) == (
        ["e1"],
        ["before_last_exit"],
    )


def test_the_order_is_the_ledgers() -> None:
    """A verdict that was recorded later is newer, also when its clock was behind."""
    first = replace(FITTING, epoch=3, position=1, recorded_at=NOW)
    later = replace(
        FITTING,
        evidence_id="e2",
        epoch=3,
        position=2,
        recorded_at=NOW - timedelta(days=2),
        verdict=Verdict.FAIL,
    )

    assert _judge(later, first) == ([], ["not_passed"])


OWN = replace(FITTING, origin=Origin.GATE)
EXTERNAL = replace(FITTING, evidence_id="mine", epoch=1)


@pytest.mark.parametrize("verdict", [item for item in Verdict if item is not Verdict.PASS])
@pytest.mark.parametrize(
    "own",
    [
        {},
        {"policy_fingerprint": "sha256:" + "d" * 64},
        {"baseline": None},
        {"recorded_at": NOW - timedelta(days=100)},
        {"gate": Gate.AB_TEST},
    ],
    ids=str,
)
def test_external_evidence_takes_nothing_back(verdict: Verdict, own: dict[str, Any]) -> None:
    """A PASS without the gate's report does not help while the gate itself says something else,
    be that under another policy, against another baseline, long ago, or of the other gate."""
    refusal = replace(OWN, verdict=verdict, **own)
    _, missing = judge_evidence(PROMOTION, SUBJECT, [refusal, EXTERNAL], now=NOW)

    assert "external_evidence" in [item.code for item in missing]
    assert f"itself said {verdict}" in " ".join(item.message for item in missing)


def test_the_gate_itself_takes_its_refusal_back() -> None:
    """A later PASS with its report counts, and then external evidence may stand beside it."""
    refusal = replace(OWN, verdict=Verdict.FAIL)
    passed = replace(OWN, evidence_id="e2", epoch=1)

    assert _judge(refusal, passed) == (["e2"], [])
    assert _judge(refusal, passed, replace(EXTERNAL, epoch=2)) == (["mine"], [])


def test_an_external_refusal_counts() -> None:
    """An external refusal is not overridden by an earlier PASS of the gate."""
    assert _judge(OWN, replace(EXTERNAL, verdict=Verdict.FAIL)) == ([], ["not_passed"])


def test_additional_checks_join_the_gates() -> None:
    """Each check that the policy names needs a PASS of its own, and none stands for a gate."""
    audit = replace(FITTING, evidence_id="a", gate=Gate.CHECK, check="fairness-audit")
    other = replace(audit, evidence_id="b", check="latency-lab")
    policy_fields = {"required_checks": ("fairness-audit", "latency-lab")}

    assert _judge(FITTING, audit, **policy_fields) == (["e1", "a"], ["no_evidence"])
    assert _judge(audit, other, **policy_fields) == (["a", "b"], ["no_evidence"])
    assert _judge(FITTING, audit, other, **policy_fields) == (["e1", "a", "b"], [])
    assert _judge(FITTING, audit, replace(other, verdict=Verdict.FAIL), **policy_fields) == (
        ["e1", "a"],
        ["not_passed"],
    )


MISFITS = st.fixed_dictionaries(
    {},
    optional={
        "tenant_id": st.sampled_from([None, "umbrella"]),
        "model_id": st.just("fraud"),
        "version": st.sampled_from([None, 1, 3]),
        "bundle_digest": st.just("sha256:0"),
        "baseline": st.sampled_from([None, 2]),
        "policy_fingerprint": st.just("sha256:0"),
        "recorded_at": st.sampled_from([None, NOW - timedelta(days=31)]),
        "verdict": st.sampled_from([Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.INVALID]),
        "gate": st.sampled_from([Gate.VALIDATION, Gate.APPROVAL]),
    },
)


@given(st.lists(MISFITS, max_size=6))
def test_no_amount_of_misfits_makes_a_proof(changes: list[dict[str, Any]]) -> None:
    """A version is ready only if one item fits in every field."""
    evidence = [
        replace(FITTING, evidence_id=f"e{number}", **item) for number, item in enumerate(changes)
    ]
    used, missing = _judge(*evidence)

    assert bool(used) is (not missing)
    if used:
        assert {} in changes


@pytest.mark.parametrize(
    "value", ["pass", "Pass", "PASS\n", "", None, True, 1, float("nan"), [], {}, "NaN", object()]
)
def test_nothing_else_is_a_verdict(value: Any) -> None:
    """NaN and missing data are errors, never a PASS."""
    with pytest.raises(InvalidInput, match="PASS, FAIL, INCONCLUSIVE, INVALID"):
        parse_verdict(value)


@pytest.mark.parametrize("value", ["Shadow", "", None, 3, float("nan"), [], "ab-test"])
def test_nothing_else_is_a_gate(value: Any) -> None:
    """A gate is one of four, by its name."""
    with pytest.raises(InvalidInput, match="validation, shadow, ab_test, approval, check"):
        parse_gate(value)


def test_the_digest_covers_what_the_gate_said() -> None:
    """Each field changes the digest, also when, where and by whom it was recorded."""
    changes: dict[str, Any] = {
        "evidence_id": "e9",
        "gate": Gate.AB_TEST,
        "verdict": Verdict.FAIL,
        "bundle_digest": "x",
        "baseline": None,
        "policy_fingerprint": "x",
        "summary": {},
        "report_uri": "file:///report",
        "tenant_id": "b",
        "model_id": "b",
        "version": 9,
        "check": "fairness-audit",
        "recorded_at": NOW,
        "recorded_by": "eve",
        "epoch": 9,
        "position": 9,
        "origin": Origin.GATE,
        "envelope": {"payload": "e30="},
    }
    changed = [replace(FITTING, **{name: value}) for name, value in changes.items()]

    assert {item.name for item in fields(Evidence)} == set(changes)
    assert len({item.digest() for item in (FITTING, *changed)}) == len(changed) + 1


def test_a_summary_without_finite_numbers_has_no_digest() -> None:
    """A NaN in the summary is refused before anything is written."""
    with pytest.raises(InvalidInput):
        replace(FITTING, summary={"estimate": float("nan")}).digest()
