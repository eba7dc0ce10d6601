"""The signed head of a proof: what the ledger's key signs about a version and the tenant's tree."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..domain.canonical_json import digest
from ..domain.errors import InvalidInput
from .envelope import read_statement
from .type_check import fits

PREDICATE_TYPE = "urn:model-lifecycle:ledger-head:v1"
_ROOT = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class SignedHead:
    """The statement of a head: ``subject``, ``predicate``, and in that the tree's size and root."""

    subject: Any
    predicate: Mapping[str, Any]
    tree_size: int
    root: bytes


def read_head(envelope: Any, field: str) -> SignedHead:
    """The head in an envelope, whose signature is not checked. Raises :class:`InvalidInput`."""
    stated = read_statement(envelope, field=field)
    predicate = stated["predicate"]
    size, root = predicate.get("tree_size"), predicate.get("root_hash")
    listed = predicate.get("evidence")
    if (
        stated.get("predicateType") != PREDICATE_TYPE
        or not fits(size, int)
        or not (isinstance(root, str) and _ROOT.fullmatch(root))
        or not isinstance(predicate.get("signed_at"), str)
        or not isinstance(listed, list)
        or not all(
            isinstance(item, list) and len(item) == 2 and isinstance(item[0], str)
            for item in listed
        )
    ):
        raise InvalidInput(
            f"{field} is no head of a ledger, which is a statement of type {PREDICATE_TYPE}",
            field=field,
        )
    return SignedHead(stated.get("subject"), predicate, size, bytes.fromhex(root))


def head_predicate(
    record: Mapping[str, Any],
    entries: Sequence[Mapping[str, Any]],
    evidence: Sequence[Mapping[str, Any]],
    policy: Mapping[str, Any],
    *,
    tree_size: int,
    root_hash: str,
    signed_at: str,
) -> dict[str, Any]:
    """The statement of the signed head of a proof, of the documents of its parts."""
    return {
        "tenant_id": record["tenant_id"],
        "model_id": record["model_id"],
        "version": record["version"],
        "tree_size": tree_size,
        "root_hash": root_hash,
        "signed_at": signed_at,
        "epoch": len(entries),
        "head_hash": entries[-1]["hash"],
        "record_digest": digest(dict(record), field="record"),
        "policy_fingerprint": digest(dict(policy), field="policy"),
        "evidence": [
            [item["evidence_id"], digest(dict(item), field="evidence")] for item in evidence
        ],
    }
