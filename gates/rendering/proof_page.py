"""A proof as one HTML page for auditors: who decided what, on which evidence, under which policy.

The page is a summary for reading; the file beside it is what can be checked.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from model_lifecycle.registry.attestation.envelope import key_ids
from model_lifecycle.registry.attestation.proof_check import CheckedProof
from model_lifecycle.registry.attestation.proof_document import ProofContent
from model_lifecycle.registry.domain.evidence import Evidence
from model_lifecycle.registry.domain.models import EntryKind, LedgerEntry, StageMove
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.domain.stages import Gate, Stage

from ..policy.describe import policy_sentences

_GATES = {Gate.VALIDATION: "validation", Gate.SHADOW: "shadow", Gate.AB_TEST: "ab_test"}
_KINDS = {
    EntryKind.REGISTERED: "Registered",
    EntryKind.ADOPTED: "Adopted from MLflow",
    EntryKind.ROLLED_BACK: "Rolled back",
    EntryKind.DELETED: "Deleted",
    EntryKind.ERASED: "Files erased",
}


def proof_page(proof: CheckedProof, *, file_name: str) -> str:
    """The page about ``proof``; ``file_name`` is the name of the proof's own file."""
    environment = Environment(
        loader=PackageLoader("model_lifecycle.gates.rendering", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = _short
    content = proof.content
    policies = _policies(content)
    return environment.get_template("proof.html").render(
        proof=proof,
        version=content.version,
        file_name=file_name,
        sentence=_sentence(content),
        decisions=[_decision(entry, content, policies) for entry in _own(content)],
        evidence=[_evidence_row(item, content, policies) for item in _own_evidence(content)],
        policies=list(policies.values()),
        signed_at=_time(datetime.fromisoformat(proof.signed_at)),
    )


def _own(content: ProofContent) -> list[LedgerEntry]:
    number = content.version.version
    return [
        entry for entry in content.entries if any(move.version == number for move in entry.moves)
    ]


def _own_evidence(content: ProofContent) -> list[Evidence]:
    return [item for item in content.evidence if item.version == content.version.version]


def _sentence(content: ProofContent) -> str:
    """The last decision that put the version where it is, in one sentence."""
    entry = _own(content)[-1]
    move = _move(entry, content)
    when, stage = _time(entry.at), content.version.stage
    if move.source is None:
        return f"{entry.actor} registered it on {when}. It has not left development."
    if move.source is Stage.PRODUCTION and entry.production not in (None, move.version):
        how = f"when version {entry.production} took its place"
        return f"It left production for {stage} on {when}, {how}."
    if stage is Stage.DELETED:
        how = "erased its files" if entry.kind is EntryKind.ERASED else "deleted it"
        return f"{entry.actor} {how} on {when}. The record stays."
    grounds = [f"{item['gate']} {item['verdict']}" for item in _grounds(entry, content)]
    if entry.forced:
        basis = "by force, with requirements waived"
    elif grounds:
        basis = f"on {_listed(grounds)}"
    else:
        basis = "without evidence, as this move needs none"
    return f"{entry.actor} moved it to {stage} on {when}, {basis}."


def _move(entry: LedgerEntry, content: ProofContent) -> StageMove:
    return next(move for move in entry.moves if move.version == content.version.version)


def _grounds(entry: LedgerEntry, content: ProofContent) -> list[dict[str, Any]]:
    """The evidence about the version on which the entry stands, a check by its name."""
    own = {item.evidence_id: item for item in _own_evidence(content)}
    used = [own[item["evidence_id"]] for item in entry.evidence if item["evidence_id"] in own]
    return [
        {
            "gate": item.check or item.gate.value,
            "verdict": item.verdict.value,
            "sentence": item.summary.get("sentence"),
        }
        for item in used
    ]


def _decision(
    entry: LedgerEntry, content: ProofContent, policies: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    move = _move(entry, content)
    what = _KINDS.get(entry.kind, "Moved")
    if move.source is Stage.PRODUCTION and entry.production not in (None, move.version):
        what = f"Replaced by version {entry.production}"
    fingerprint = _policy_at(content, entry.sequence).fingerprint
    return {
        "sequence": entry.sequence,
        "what": what,
        "source": move.source.value if move.source else None,
        "target": move.target.value,
        "at": _time(entry.at),
        "actor": entry.actor,
        "reason": entry.reason,
        "forced": entry.forced,
        "waived": [str(item.get("message")) for item in entry.detail.get("waived", ())],
        "grounds": _grounds(entry, content),
        "policy": policies[fingerprint]["label"],
    }


def _evidence_row(
    item: Evidence, content: ProofContent, policies: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    policy = policies.get(item.policy_fingerprint)
    signers = key_ids(item.envelope, field="envelope") if item.envelope is not None else []
    return {
        "id": item.evidence_id,
        "gate": item.check or item.gate.value,
        "verdict": item.verdict.value,
        "sentence": item.summary.get("sentence") or "",
        "baseline": item.baseline,
        "at": _time(item.recorded_at) if item.recorded_at else "",
        "by": item.recorded_by,
        "epoch": item.epoch,
        "origin": item.origin.value,
        "policy": policy["label"] if policy else None,
        "signers": signers,
        "used": [
            entry.sequence
            for entry in content.entries
            if any(used.get("evidence_id") == item.evidence_id for used in entry.evidence)
        ],
    }


def _policies(content: ProofContent) -> dict[str, dict[str, Any]]:
    """The policies that were in force at a decision or a verdict, by fingerprint."""
    needed = {item.policy_fingerprint for item in _own_evidence(content)} | {
        _policy_at(content, entry.sequence).fingerprint for entry in _own(content)
    }
    default = PromotionPolicy()
    known: dict[str, tuple[PromotionPolicy, LedgerEntry | None]] = {
        default.fingerprint: (default, None)
    }
    for entry in content.entries:
        if entry.kind is EntryKind.POLICY_SET:
            policy = PromotionPolicy.from_document(entry.detail["policy"])
            known.setdefault(policy.fingerprint, (policy, entry))
    used = [(policy, entry) for policy, entry in known.values() if policy.fingerprint in needed]
    return {
        policy.fingerprint: {
            "label": f"policy {place}",
            "fingerprint": policy.fingerprint,
            "set": f"set by {entry.actor} on {_time(entry.at)}, entry {entry.sequence}"
            if entry
            else "the default, in force until one is set",
            "reason": entry.reason if entry else "",
            "rules": _rules(policy),
        }
        for place, (policy, entry) in enumerate(used, start=1)
    }


def _policy_at(content: ProofContent, sequence: int) -> PromotionPolicy:
    """The policy in force when the entry was committed."""
    policy = PromotionPolicy()
    for entry in content.entries:
        if entry.sequence < sequence and entry.kind is EntryKind.POLICY_SET:
            policy = PromotionPolicy.from_document(entry.detail["policy"])
    return policy


def _rules(policy: PromotionPolicy) -> list[dict[str, Any]]:
    """The policy in words, a gate at a time."""
    rules = [
        {"title": gate.value, "lines": [*demands, *conditions]}
        for gate, name in _GATES.items()
        if getattr(policy, name)
        for demands, conditions in [policy_sentences(gate, getattr(policy, name))]
    ]
    general = [f"Evidence counts for {policy.evidence_max_age_days:g} days."]
    if policy.require_approval:
        general.append("A version needs an approval before production.")
    if policy.require_onnx:
        general.append("A version needs a model.onnx that answers as the model does.")
    general += [
        f"The check {name} has to pass before production." for name in policy.required_checks
    ]
    if policy.trusted_keys:
        general.append(
            f"Evidence has to be signed by one of {len(policy.trusted_keys)} trusted keys."
            if len(policy.trusted_keys) > 1
            else "Evidence has to be signed by the trusted key."
        )
    return [*rules, {"title": "in general", "lines": general}]


def _listed(names: list[str]) -> str:
    """The names as words of a sentence."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%-d %B %Y, %H:%M:%S} UTC"


def _short(digest: str) -> str:
    """Enough of a digest to compare by eye."""
    return f"{digest.removeprefix('sha256:')[:16]}…"
