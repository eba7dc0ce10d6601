"""Digests and fingerprints that are stored in ledgers, against tests/golden/registry.

A stored fingerprint that came out differently would turn a repeated request into a conflict; a
digest, an intact ledger into a corrupt one. ``tests/support/golden.py`` says how the files are
regenerated.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from support.golden import assert_golden

from model_lifecycle.registry.attestation.hash_chain import GENESIS, sealed
from model_lifecycle.registry.domain.authorization import Principal
from model_lifecycle.registry.domain.commands import (
    AdoptVersion,
    Command,
    DeleteVersions,
    EraseVersion,
    LogModel,
    MoveStage,
    RecordEvidence,
    RegisterVersion,
    RollBack,
    SetPolicy,
)
from model_lifecycle.registry.domain.evidence import Evidence, Origin, Verdict
from model_lifecycle.registry.domain.models import EntryKind, LedgerEntry, StageMove
from model_lifecycle.registry.domain.preconditions import ANY
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.domain.stages import Gate, Stage

_AT = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
_DIGEST = "sha256:" + "ab" * 32
_POLICY = PromotionPolicy(validation={"metrics": [{"name": "auc", "at_least": 0.8}]})
_PLAN: dict[str, Any] = {"framework": "sklearn", "metrics": {"auc": 0.9}, "tags": {"team": "ünï"}}
_COMMON: dict[str, Any] = {
    "actor": Principal("dag/retrain", on_behalf_of="kim"),
    "tenant_id": "acme",
    "model_id": "churn",
}
EVIDENCE = Evidence(
    evidence_id="shadow/1",
    gate=Gate.SHADOW,
    verdict=Verdict.PASS,
    bundle_digest=_DIGEST,
    baseline=2,
    policy_fingerprint=_POLICY.fingerprint,
    summary={"sentence": "better by 0.01", "difference": 0.01, "n": 10**6, "none": None},
    report_uri="s3://models/acme/models/churn/3/reports/shadow/1",
    tenant_id="acme",
    model_id="churn",
    version=3,
    recorded_at=_AT,
    recorded_by="gate",
    epoch=7,
    position=2,
    origin=Origin.GATE,
)
COMMANDS: tuple[Command, ...] = (
    MoveStage(
        **_COMMON,
        version=3,
        target=Stage.PRODUCTION,
        reason="better",
        expected_production=2,
        expected_epoch=frozenset({7, 8}),
        force=False,
    ),
    MoveStage(
        **_COMMON,
        version=3,
        target=Stage.DEVELOPMENT,
        reason="",
        expected_production=ANY,
        expected_epoch=ANY,
        force=True,
    ),
    RollBack(
        **_COMMON, to_version=None, reason="late", expected_production=None, expected_epoch=ANY
    ),
    DeleteVersions(**_COMMON, version=1, reason="unused", expected_epoch=frozenset({2})),
    SetPolicy(**_COMMON, policy=_POLICY, reason="stricter", expected_epoch=ANY),
    RecordEvidence(**_COMMON, evidence=EVIDENCE),
    RegisterVersion(
        **_COMMON, plan=_PLAN, model_class="a.B", run_id="0" * 32, training_log=_DIGEST
    ),
    AdoptVersion(**_COMMON, version=4),
    LogModel(**_COMMON, plan=_PLAN, model_class="a.B", training_log=None),
    EraseVersion(**_COMMON, version=2, reason="request of the data subject", expected_epoch=ANY),
)
ENTRY = LedgerEntry(
    tenant_id="acme",
    model_id="churn",
    sequence=1,
    kind=EntryKind.MOVED,
    at=_AT,
    actor="dag/retrain for kim",
    reason="better",
    moves=(
        StageMove(3, Stage.STAGING, Stage.PRODUCTION),
        StageMove(2, Stage.PRODUCTION, Stage.ARCHIVED),
    ),
    production=3,
    previous_production=2,
    evidence=({"evidence_id": "shadow/1", "gate": "shadow", "verdict": "PASS"},),
    forced=False,
    operation_id="promote/1",
    detail={"waived": []},
    previous_hash=GENESIS,
    hash="",
)


def test_fingerprints_of_commands_stay() -> None:
    """One of each kind, and the variants of what an expectation can be."""
    assert {type(command) for command in COMMANDS} == set(Command.__subclasses__())
    assert_golden(
        "registry/fingerprints",
        [[type(command).__name__, command.fingerprint()] for command in COMMANDS],
    )


def test_digests_of_evidence_and_policies_stay() -> None:
    """An entry of the ledger names evidence by its digest."""
    assert_golden(
        "registry/evidence",
        {
            "document": EVIDENCE.document(),
            "digest": EVIDENCE.digest(),
            "policy": _POLICY.document(),
            "policy_fingerprint": _POLICY.fingerprint,
        },
    )


def test_hashes_of_entries_stay() -> None:
    """The second entry follows the first."""
    first = sealed(ENTRY)
    second = sealed(LedgerEntry(**{**vars(ENTRY), "sequence": 2, "previous_hash": first.hash}))
    assert_golden("registry/entries", [first.document(), second.document()])
