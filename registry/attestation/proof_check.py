"""Checks a proof by itself: no ledger, no MLflow, no settings, no network.

A proof shows that its head was signed by a key, and that everything in it is what that head names.
Whether the key is the registry's, the reader has to know from elsewhere: by ``trusted_key``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..domain.canonical_json import digest
from ..domain.errors import InvalidInput, LedgerCorrupt, ProofRefused
from ..domain.evidence import Evidence
from ..domain.ledger_replay import LedgerReplay
from ..domain.models import EntryKind
from ..domain.promotion_policy import PromotionPolicy
from .envelope import key_ids, read_statement, signer
from .hash_chain import ChainCheck, entry_leaf, sealed
from .keys import PublicKey, trusted_keys
from .merkle import is_consistent, root_by_inclusion
from .proof_document import PREDICATE_TYPE, ProofContent, head_predicate, read_proof, subject_name
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
    predicate = read_statement(document["head"], field="proof.head")["predicate"]
    problems = [
        *_head_problems(document, content, key),
        *_entry_problems(content),
        *_evidence_problems(content),
        *_policy_problems(content),
        *_inclusion_problems(document, content, predicate),
    ]
    if earlier is not None:
        problems += _consistency_problems(document, predicate, earlier, key)
    if not problems:
        problems += [*_rule_problems(content), *_signature_problems(content)]
    if problems:
        raise ProofRefused(subject_name(document["record"]), dict.fromkeys(problems))
    return CheckedProof(
        content=content,
        key_id=key.key_id,
        is_key_trusted=trusted_key is not None,
        signed_at=predicate["signed_at"],
        tree_size=predicate["tree_size"],
        root_hash=predicate["root_hash"],
    )


def _head_problems(
    document: Mapping[str, Any], content: ProofContent, key: PublicKey
) -> Iterator[Problem]:
    head = document["head"]
    if signer(head, [key], field="proof.head") is None:
        named = key_ids(head, field="proof.head")
        if key.key_id in named:
            yield "head_signature", "the signature of the head is not that of its content"
        else:
            yield (
                "unknown_key",
                f"the head is signed by key {', '.join(named) or 'none'}, not by {key.key_id}",
            )
    stated = read_statement(head, field="proof.head")
    predicate = stated["predicate"]
    record = document["record"]
    expected = head_predicate(
        record,
        document["entries"],
        document["evidence"],
        document["policy"],
        tree_size=predicate.get("tree_size"),
        root_hash=predicate.get("root_hash"),
        signed_at=predicate.get("signed_at"),
    )
    if stated.get("predicateType") != PREDICATE_TYPE:
        yield "head_mismatch", f"the head is of type {stated.get('predicateType')!r:.100}"
    subject = [
        {
            "name": subject_name(record),
            "digest": {"sha256": content.version.bundle_digest.removeprefix("sha256:")},
        }
    ]
    names = ("tenant_id", "model_id", "version", "record_digest")
    if stated.get("subject") != subject or any(
        predicate.get(name) != expected[name] for name in names
    ):
        yield "record_edited", "the record of the version is not the one that the head names"
    if predicate.get("policy_fingerprint") != expected["policy_fingerprint"]:
        yield "policy_edited", "the policy is not the one that the head names"
    epoch, last = predicate.get("epoch"), expected["epoch"]
    if epoch != last:
        yield "entry_missing", f"the head names {epoch!r:.40} entries, and the proof has {last}"
    elif predicate.get("head_hash") != expected["head_hash"]:
        yield "entry_edited", f"entry {last} is not the last one that the head names"
    yield from _listed_evidence(predicate.get("evidence"), expected["evidence"])


def _listed_evidence(stated: Any, expected: list[list[str]]) -> Iterator[Problem]:
    named = {str(item[0]): item[1] for item in stated} if isinstance(stated, list) else {}
    present = {item[0]: item[1] for item in expected}
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
    document: Mapping[str, Any], content: ProofContent, predicate: Mapping[str, Any]
) -> Iterator[Problem]:
    size, root = predicate.get("tree_size"), predicate.get("root_hash")
    entries = {entry.sequence: entry for entry in content.entries}
    proven = set()
    for place, item in enumerate(document["inclusion"]):
        field = f"proof.inclusion[{place}]"
        try:
            sequence, index = int(item["sequence"]), int(item["leaf_index"])
            path, tree_size = _path(item["path"]), int(str(size))
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"{field} cannot be read: {error!s:.100}", field=field) from None
        proven.add(sequence)
        if sequence not in entries:
            yield "entry_missing", f"entry {sequence} is missing, and has a path to the root"
            continue
        leaf = entry_leaf(entries[sequence].hash)
        reached = root_by_inclusion(leaf, index, tree_size, path)
        if reached is None or reached.hex() != root:
            yield (
                "inclusion_failed",
                f"the path of entry {sequence} does not lead to the root that the head names",
            )
    for entry in content.own_entries:
        if entry.sequence not in proven:
            yield "inclusion_missing", f"entry {entry.sequence} has no path to the root"


def _consistency_problems(
    document: Mapping[str, Any], predicate: Mapping[str, Any], earlier: Any, key: PublicKey
) -> Iterator[Problem]:
    read_proof(earlier)
    before = read_statement(earlier["head"], field="earlier.head")["predicate"]
    if signer(earlier["head"], [key], field="earlier.head") is None:
        yield "unknown_key", "the earlier head is not signed by the key of the later one"
        return
    if before.get("tenant_id") != predicate.get("tenant_id"):
        yield "inconsistent_tree", "the earlier proof is of another tenant's tree"
        return
    consistency = document["consistency"]
    size, root = before.get("tree_size"), str(before.get("root_hash"))
    if size == predicate.get("tree_size"):
        path: list[bytes] = []
    elif not isinstance(consistency, Mapping) or consistency.get("tree_size") != size:
        yield (
            "inconsistent_tree",
            f"the proof has no path from the earlier tree of {size} entries; export it with "
            "--since and the earlier file",
        )
        return
    else:
        path = _path(consistency.get("path"))
    later = predicate.get("tree_size"), str(predicate.get("root_hash"))
    if (
        not isinstance(size, int)
        or not isinstance(later[0], int)
        or not is_consistent(size, bytes.fromhex(root), later[0], bytes.fromhex(later[1]), path)
    ):
        yield (
            "inconsistent_tree",
            f"the tree of {later[0]} entries does not begin with the earlier one of {size}",
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


def _path(nodes: Any) -> list[bytes]:
    return [bytes.fromhex(node) for node in nodes]
