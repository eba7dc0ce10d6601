"""A signed statement is about exactly one evidence; any other is not trusted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.signing_keys import make_key

from model_lifecycle.registry.attestation.envelope import read_statement, sign
from model_lifecycle.registry.attestation.keys import PublicKey, SigningKey, load_signing_key
from model_lifecycle.registry.attestation.verdict_statement import (
    check_statement,
    untrusted,
    verdict_statement,
)
from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.evidence import Evidence, Verdict
from model_lifecycle.registry.domain.stages import Gate

_DIGEST = "sha256:" + "a" * 64
_BASELINE = "sha256:" + "b" * 64
_REPORT = "sha256:" + "c" * 64
_ITEM = Evidence(
    evidence_id="nightly",
    gate=Gate.SHADOW,
    verdict=Verdict.PASS,
    bundle_digest=_DIGEST,
    baseline=1,
    policy_fingerprint="sha256:" + "d" * 64,
    summary={"sentence": "better by 0.02", "rows": 1000},
    tenant_id="acme",
    model_id="churn",
    version=2,
    epoch=7,
)


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return load_signing_key(str(make_key(tmp_path).private), None, field="gate_key")


@pytest.fixture
def signed(key: SigningKey) -> Evidence:
    content = verdict_statement(_ITEM, epoch=6, baseline_digest=_BASELINE, report_digest=_REPORT)
    return replace(_ITEM, envelope=sign(content, key))


def _check(item: Evidence, **values: Any) -> None:
    known = {"epoch": 7, "baseline_digest": _BASELINE, "report_digest": _REPORT, **values}
    check_statement(item, **known)


def _reasons(item: Evidence, *keys: PublicKey, since: int = 0) -> dict[str, str]:
    return untrusted([item], keys, {1: _BASELINE, 2: _DIGEST}, evidence_since=since)


def test_a_statement_names_the_bundle_and_what_the_gate_concluded(signed: Evidence) -> None:
    content = read_statement(signed.envelope, field="x")

    assert content["subject"] == [{"name": "acme/churn/2", "digest": {"sha256": "a" * 64}}]
    assert content["predicate"] | {"content_digest": ""} == {
        "evidence_id": "nightly",
        "gate": "shadow",
        "check": None,
        "verdict": "PASS",
        "policy_fingerprint": "sha256:" + "d" * 64,
        "baseline": 1,
        "baseline_digest": _BASELINE,
        "epoch": 6,
        "report_digest": _REPORT,
        "content_digest": "",
    }


def test_evidence_that_says_what_was_signed_is_trusted(signed: Evidence, key: SigningKey) -> None:
    _check(signed)
    assert _reasons(signed, key.public_key) == {}


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"verdict": Verdict.FAIL}, "verdict"),
        ({"gate": Gate.VALIDATION}, "gate"),
        ({"bundle_digest": _BASELINE}, "subject"),
        ({"version": 3}, "subject"),
        ({"tenant_id": "other"}, "subject"),
        ({"baseline": None}, "baseline"),
        ({"policy_fingerprint": _REPORT}, "policy_fingerprint"),
        ({"evidence_id": "again"}, "evidence_id"),
        ({"summary": {"sentence": "better by 0.2", "rows": 1000}}, "content_digest"),
        ({"report_uri": "s3://elsewhere"}, "content_digest"),
        ({"gate": Gate.CHECK, "check": "audit"}, "check"),
    ],
)
def test_evidence_that_says_something_else_is_refused(
    signed: Evidence, key: SigningKey, change: dict[str, Any], part: str
) -> None:
    item = replace(signed, **change)

    with pytest.raises(InvalidInput, match="signed statement has") as caught:
        _check(item)
    assert caught.value.field.startswith("evidence.envelope.")
    assert _reasons(item, key.public_key)
    if "evidence_id" not in change:
        assert part in str(caught.value) or "content_digest" in str(caught.value)


def test_a_statement_about_another_report_baseline_or_later_epoch_is_refused(
    signed: Evidence,
) -> None:
    for values in ({"report_digest": None}, {"baseline_digest": _DIGEST}, {"epoch": 5}):
        with pytest.raises(InvalidInput, match="signed statement"):
            _check(signed, **values)


def test_unsigned_evidence_is_not_trusted_where_keys_are_listed(key: SigningKey) -> None:
    assert "is not signed" in _reasons(_ITEM, key.public_key)["nightly"]
    assert _reasons(_ITEM) == {}


def test_a_signature_of_another_key_is_not_trusted(signed: Evidence, tmp_path: Path) -> None:
    other = PublicKey.from_pem(make_key(tmp_path, "other").pem, field="x")

    reason = _reasons(signed, other)["nightly"]

    assert "not signed by a key that the policy trusts" in reason
    assert other.key_id[:16] in reason


def test_a_signature_moved_to_another_statement_is_not_trusted(
    signed: Evidence, key: SigningKey
) -> None:
    content = read_statement(signed.envelope, field="x")
    content["predicate"]["verdict"] = "FAIL"
    forged = sign(content, key)
    assert signed.envelope is not None
    item = replace(
        signed,
        verdict=Verdict.FAIL,
        envelope={**forged, "signatures": signed.envelope["signatures"]},
    )

    assert "not signed by a key" in _reasons(item, key.public_key)["nightly"]


def test_a_signature_from_before_the_last_exit_is_not_trusted(
    signed: Evidence, key: SigningKey
) -> None:
    """Also if its record was entered into the ledger again, with a later epoch."""
    assert _reasons(signed, key.public_key, since=6) == {}
    assert "before entry 7" in _reasons(signed, key.public_key, since=7)["nightly"]
