"""Checks a proof by itself: no ledger, no MLflow, no settings, no network.

A proof shows that its head was signed by a key, and that everything in it is what that head names.
Whether the key is the registry's, the reader has to know from elsewhere: by ``trusted_key``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..domain.canonical_json import digest
from ..domain.errors import LedgerCorrupt, ProofRefused
from ..domain.evidence import Evidence
from ..domain.ledger_replay import LedgerReplay
from ..domain.models import EntryKind
from ..domain.promotion_policy import PromotionPolicy
from .envelope import key_ids, signer
from .hash_chain import ChainCheck, entry_leaf, sealed
from .keys import PublicKey, trusted_keys
from .merkle import is_consistent, root_by_inclusion
from .proof_document import ProofContent, read_proof, subject_name, tree_path
from .signed_head import SignedHead, head_predicate, read_head
from .verdict_statement import untrusted

#: A part that does not hold: its code, and a sentence.
Problem = tuple[str, str]


@dataclass(frozen=True)
class CheckedProof:
    """A proof that holds. ``is_key_trusted`` is false where the reader named no key: then the key
    is the one that the proof itself names."""

    content: ProofContent
    key_id: str
    is_key_trusted: bool
    signed_at: str
    tree_size: int
    root_hash: str

    def document(self) -> dict[str, Any]:
        """The result as plain JSON."""
        version = self.content.version
        return {
            "tenant_id": version.tenant_id,
            "model_id": version.model_id,
            "version": version.version,
            "stage": version.stage.value,
            "bundle_digest": version.bundle_digest,
            "entries": len(self.content.entries),
            "evidence": len(self.content.evidence),
            "tree_size": self.tree_size,
            "root_hash": self.root_hash,
            "signed_at": self.signed_at,
            "key_id": self.key_id,
            "is_key_trusted": self.is_key_trusted,
        }


def verify_proof(
    document: Any, *, trusted_key: str | None = None, earlier: Any = None
) -> CheckedProof:
    """The proof in ``document``, plain JSON, if all of it holds.

    ``trusted_key`` is the registry's public key as PEM. With ``earlier``, an earlier proof of the
    same registry and tenant, the later tree has to begin with the earlier one.

    Raises :class:`ProofRefused`, which names every part that does not hold, and
    :class:`InvalidInput` for what is no proof.
    """
    content = read_proof(document)
    key = PublicKey.from_pem(
        document["public_key"] if trusted_key is None else trusted_key,
        field="proof.public_key" if trusted_key is None else "key",
    )
    head = read_head(document["head"], "proof.head")
    problems = [
        *_signature_of_head(document["head"], key, "proof.head"),
        *_head_problems(document, content, head),
        *_entry_problems(content),
        *_evidence_problems(content),
        *_policy_problems(content),
        *_inclusion_problems(document, content, head),
    ]
    if earlier is not None:
        problems += _consistency_problems(document, head, earlier, key)
    if not problems:
        problems += [*_rule_problems(content), *_signature_problems(content)]
    if problems:
        raise ProofRefused(subject_name(document["record"]), dict.fromkeys(problems))
    return CheckedProof(
        content=content,
        key_id=key.key_id,
        is_key_trusted=trusted_key is not None,
        signed_at=head.predicate["signed_at"],
        tree_size=head.tree_size,
        root_hash=head.predicate["root_hash"],
    )


def _signature_of_head(envelope: Any, key: PublicKey, field: str) -> Iterator[Problem]:
    if signer(envelope, [key], field=field) is not None:
        return
    named = key_ids(envelope, field=field)
    if key.key_id in named:
        yield "head_signature", f"the signature of {field} is not that of its content"
    else:
        yield (
            "unknown_key",
            f"{field} is signed by key {', '.join(named) or 'none'}, not by {key.key_id}",
        )


def _head_problems(
    document: Mapping[str, Any], content: ProofContent, head: SignedHead
) -> Iterator[Problem]:
    predicate = head.predicate
    record = document["record"]
    expected = head_predicate(
        record,
        document["entries"],
        document["evidence"],
        document["policy"],
        tree_size=head.tree_size,
        root_hash=predicate["root_hash"],
        signed_at=predicate["signed_at"],
    )
    subject = [
        {
            "name": subject_name(record),
            "digest": {"sha256": content.version.bundle_digest.removeprefix("sha256:")},
        }
    ]
    names = ("tenant_id", "model_id", "version", "record_digest")
    if head.subject != subject or any(predicate.get(name) != expected[name] for name in names):
        yield "record_edited", "the record of the version is not the one that the head names"
    if predicate.get("policy_fingerprint") != expected["policy_fingerprint"]:
        yield "policy_edited", "the policy is not the one that the head names"
    epoch, last = predicate.get("epoch"), expected["epoch"]
    if epoch != last:
        yield "entry_missing", f"the head names {epoch!r:.40} entries, and the proof has {last}"
    elif predicate.get("head_hash") != expected["head_hash"]:
        yield "entry_edited", f"entry {last} is not the last one that the head names"
    yield from _listed_evidence(predicate["evidence"], expected["evidence"])


def _listed_evidence(stated: list[list[str]], expected: list[list[str]]) -> Iterator[Problem]:
    named, present = dict(stated), dict(expected)
    for evidence_id in sorted({*named, *present}):
        if evidence_id not in present:
            yield "evidence_missing", f"evidence {evidence_id} is missing"
        elif evidence_id not in named:
            yield "evidence_added", f"evidence {evidence_id} is not named by the head"
        elif named[evidence_id] != present[evidence_id]:
            yield "evidence_edited", f"evidence {evidence_id} was edited"


def _entry_problems(content: ProofContent) -> Iterator[Problem]:
    version = content.version
    edited = [entry.sequence for entry in content.entries if sealed(entry).hash != entry.hash]
    for sequence in edited:
        yield "entry_edited", f"entry {sequence} was edited"
    for entry in content.entries:
        if (entry.tenant_id, entry.model_id) != (version.tenant_id, version.model_id):
            yield "entry_edited", f"entry {entry.sequence} is of another model"
    if edited:
        return
    chain = ChainCheck(version.model_id)
    try:
        for entry in content.entries:
            chain.follow(entry)
    except LedgerCorrupt as error:
        yield "entry_missing", f"the chain does not close: entry {error.sequence} {error.problem}"


def _evidence_problems(content: ProofContent) -> Iterator[Problem]:
    """Evidence on which entries stand is what it was at that time."""
    known = _by_id(content)
    for entry in content.entries:
        for reference in entry.evidence:
            evidence_id = str(reference.get("evidence_id"))
            item = known.get(evidence_id)
            if item is None:
                yield "evidence_missing", f"evidence {evidence_id} is missing"
            elif item.digest() != reference.get("digest"):
                yield "evidence_edited", f"evidence {evidence_id} was edited"


def _policy_problems(content: ProofContent) -> Iterator[Problem]:
    fingerprint = PromotionPolicy().fingerprint
    for entry in content.entries:
        if entry.kind is EntryKind.POLICY_SET:
            fingerprint = str(entry.detail.get("fingerprint"))
            if digest(entry.detail.get("policy"), field="policy") != fingerprint:
                yield "policy_edited", f"the policy in entry {entry.sequence} was edited"
    if content.policy.fingerprint != fingerprint:
        yield "policy_edited", "the policy is not the one that the entries set last"


def _inclusion_problems(
    document: Mapping[str, Any], content: ProofContent, head: SignedHead
) -> Iterator[Problem]:
    entries = {entry.sequence: entry for entry in content.entries}
    proven = set()
    for place, item in enumerate(document["inclusion"]):
        names, field = ("sequence", "leaf_index"), f"proof.inclusion[{place}]"
        (sequence, index), path = tree_path(item, names, field)
        proven.add(sequence)
        if sequence not in entries:
            yield "entry_missing", f"entry {sequence} is missing, and has a path to the root"
            continue
        leaf = entry_leaf(entries[sequence].hash)
        if root_by_inclusion(leaf, index, head.tree_size, path) != head.root:
            yield (
                "inclusion_failed",
                f"the path of entry {sequence} does not lead to the root that the head names",
            )
    for entry in content.own_entries:
        if entry.sequence not in proven:
            yield "inclusion_missing", f"entry {entry.sequence} has no path to the root"


def _consistency_problems(
    document: Mapping[str, Any], head: SignedHead, earlier: Any, key: PublicKey
) -> Iterator[Problem]:
    read_proof(earlier)
    before = read_head(earlier["head"], "earlier.head")
    yield from _signature_of_head(earlier["head"], key, "earlier.head")
    if before.predicate.get("tenant_id") != head.predicate.get("tenant_id"):
        yield "inconsistent_tree", "the earlier proof is of another tenant's tree"
        return
    size = before.tree_size
    path: list[bytes] = []
    if size != head.tree_size:
        consistency = document["consistency"]
        if consistency is None or consistency["tree_size"] != size:
            yield (
                "inconsistent_tree",
                f"the proof has no path from the earlier tree of {size} entries; export it with "
                "--since and the earlier file",
            )
            return
        _, path = tree_path(consistency, ("tree_size",), "proof.consistency")
    if not is_consistent(size, before.root, head.tree_size, head.root, path):
        yield (
            "inconsistent_tree",
            f"the tree of {head.tree_size} entries does not begin with the earlier one of {size}",
        )


def _rule_problems(content: ProofContent) -> Iterator[Problem]:
    """The entries are moves that the rules allow, and leave the version where it is shown."""
    version = content.version
    replay, known = LedgerReplay(version.model_id), _by_id(content)
    try:
        for entry in content.entries:
            replay.follow(entry, known)
    except LedgerCorrupt as error:
        yield "rule_broken", f"entry {error.sequence} {error.problem}"
        return
    record = replay.records.get(version.version)
    if record is None or record.stage is not version.stage:
        yield (
            "record_edited",
            f"the record shows version {version.version} in {version.stage}, and the entries do "
            "not leave it there",
        )
    if _digests(content).get(version.version) != version.bundle_digest:
        yield "record_edited", "the record has another bundle digest than was registered"


def _signature_problems(content: ProofContent) -> Iterator[Problem]:
    """Evidence under a policy that lists keys is signed by one of them."""
    digests = _digests(content)
    for policy in _policies(content):
        under = [item for item in content.evidence if item.policy_fingerprint == policy.fingerprint]
        reasons = untrusted(under, trusted_keys(policy.trusted_keys), digests)
        for evidence_id, reason in reasons.items():
            yield "evidence_untrusted", f"evidence {evidence_id} {reason}"


def _policies(content: ProofContent) -> list[PromotionPolicy]:
    set_policies = [
        PromotionPolicy.from_document(entry.detail["policy"])
        for entry in content.entries
        if entry.kind is EntryKind.POLICY_SET
    ]
    return list({policy.fingerprint: policy for policy in set_policies}.values())


def _digests(content: ProofContent) -> dict[int, str]:
    """Bundle digests of the model's versions, as they were registered."""
    return {
        move.version: str(entry.detail.get("bundle_digest"))
        for entry in content.entries
        if entry.kind in (EntryKind.REGISTERED, EntryKind.ADOPTED)
        for move in entry.moves
    }


def _by_id(content: ProofContent) -> dict[str, Evidence]:
    return {item.evidence_id: item for item in content.evidence}
