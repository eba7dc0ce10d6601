"""Signed evidence: what a gate states about a version, and whether evidence says the same.

The subject of the statement is the bundle, named by its digest. The predicate holds gate, verdict,
policy, baseline, ledger epoch and report, and the digest of the evidence's complete content, so
that no part of the evidence can be changed under the signature.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..domain.canonical_json import canonical_json, digest
from ..domain.errors import InvalidInput
from ..domain.evidence import Evidence
from .envelope import key_ids, read_statement, signer, statement
from .keys import PublicKey

PREDICATE_TYPE = "urn:model-lifecycle:gate-verdict:v1"
_FIELD = "evidence.envelope"


def verdict_statement(
    item: Evidence, *, epoch: int, baseline_digest: str | None, report_digest: str | None
) -> dict[str, Any]:
    """The in-toto statement of ``item`` as the gate knows it at the ledger's ``epoch``.
    ``baseline_digest`` is the bundle digest of its baseline, ``report_digest`` the SHA-256 of its
    ``report.json``; both are None where there is none."""
    return statement(
        f"{item.tenant_id}/{item.model_id}/{item.version}",
        item.bundle_digest,
        PREDICATE_TYPE,
        {
            "evidence_id": item.evidence_id,
            "gate": item.gate.value,
            "check": item.check,
            "verdict": item.verdict.value,
            "policy_fingerprint": item.policy_fingerprint,
            "baseline": item.baseline,
            "baseline_digest": baseline_digest,
            "epoch": epoch,
            "report_digest": report_digest,
            "content_digest": digest(item.content(), field="evidence"),
        },
    )


def check_statement(
    item: Evidence, *, epoch: int, baseline_digest: str | None, report_digest: str | None
) -> None:
    """Return if the envelope of ``item`` holds the statement of this evidence, made at ``epoch`` or
    before; who signed it is not checked. Raises :class:`InvalidInput`, naming what differs."""
    stated = read_statement(item.envelope, field=_FIELD)
    stated_epoch = stated["predicate"].get("epoch")
    if not isinstance(stated_epoch, int) or not 0 <= stated_epoch <= epoch:
        raise InvalidInput(
            f"the signed statement is of epoch {stated_epoch!r:.40}, but the model is at epoch "
            f"{epoch}; sign the epoch at which the gate reads the model",
            field=f"{_FIELD}.epoch",
        )
    expected = verdict_statement(
        item, epoch=stated_epoch, baseline_digest=baseline_digest, report_digest=report_digest
    )
    for name in ("subject", "predicateType"):
        _compare(name, stated.get(name), expected[name])
    predicate = expected["predicate"]
    for name in sorted({*predicate, *stated["predicate"]}):
        _compare(name, stated["predicate"].get(name), predicate.get(name))


def untrusted(
    evidence: Iterable[Evidence],
    keys: Collection[PublicKey],
    digests: Mapping[int, str],
    *,
    evidence_since: int = 0,
) -> dict[str, str]:
    """Why evidence is not signed as a policy with trusted ``keys`` requires, by evidence id;
    without keys, nothing is required.

    ``digests`` are the bundle digests of the model's versions. A statement that was signed before
    entry ``evidence_since`` is about an earlier time, whatever the ledger says of its record.
    """
    if not keys:
        return {}
    reasons = {item.evidence_id: _problem(item, keys, digests, evidence_since) for item in evidence}
    return {evidence_id: reason for evidence_id, reason in reasons.items() if reason}


def _problem(
    item: Evidence, keys: Collection[PublicKey], digests: Mapping[int, str], evidence_since: int
) -> str | None:
    if item.envelope is None:
        return "is not signed, but the policy lists trusted keys"
    try:
        if signer(item.envelope, keys, field=_FIELD) is None:
            names = ", ".join(key_id[:16] for key_id in key_ids(item.envelope, field=_FIELD))
            return (
                f"is not signed by a key that the policy trusts (it names {names or 'no key'}; "
                f"trusted are {', '.join(key.key_id[:16] for key in keys)})"
            )
        predicate = read_statement(item.envelope, field=_FIELD)["predicate"]
        baseline = None if item.baseline is None else digests.get(item.baseline)
        check_statement(
            item,
            epoch=item.epoch,
            baseline_digest=baseline,
            report_digest=predicate.get("report_digest"),
        )
    except InvalidInput as error:
        return f"does not say what was signed: {error}"
    if predicate["epoch"] < evidence_since:
        return (
            f"was signed at epoch {predicate['epoch']}, before entry {evidence_since} took the "
            "version back"
        )
    return None


def _compare(name: str, stated: Any, expected: Any) -> None:
    if canonical_json(stated, field=_FIELD) != canonical_json(expected):
        raise InvalidInput(
            f"the signed statement has {name} {stated!r:.200}, but the evidence has "
            f"{expected!r:.200}; sign what is recorded",
            field=f"{_FIELD}.{name}",
        )
