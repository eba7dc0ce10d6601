"""The proof of a version: one JSON document that outsiders can check.

It holds the model's complete chain of entries, since a chain of which one entry is left out does
not close; the evidence about the version and that of other versions on which entries stand; the
policy; paths from the version's entries to the root of the tenant's tree; and a signed head, which
names all of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_type_hints

from ..domain.errors import InvalidInput
from ..domain.evidence import Evidence, Origin, Verdict
from ..domain.models import EntryKind, LedgerEntry, StageMove, VersionMetadata, timestamp
from ..domain.promotion_policy import PromotionPolicy
from ..domain.stages import Gate, Stage
from .envelope import sign, statement
from .keys import SigningKey
from .signed_head import PREDICATE_TYPE, head_predicate
from .type_check import fits

SCHEMA = "model-lifecycle/proof/v1"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_NODE = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DIGESTS = frozenset({"hash", "previous_hash", "bundle_digest", "policy_fingerprint"})
#: What a proof has, each a part of its own.
PARTS = (
    *("schema", "record", "policy", "entries", "evidence", "inclusion", "consistency"),
    *("head", "public_key"),
)


@dataclass(frozen=True)
class ProofContent:
    """The content of a proof: the ``version`` as the ledger has it, its model's ``policy`` and
    complete chain of ``entries``, and the ``evidence``."""

    version: VersionMetadata
    policy: PromotionPolicy
    entries: tuple[LedgerEntry, ...]
    evidence: tuple[Evidence, ...]

    @property
    def own_entries(self) -> list[LedgerEntry]:
        """The entries that moved the version, and the last of the chain, which closes it."""
        number = self.version.version
        return [
            entry
            for entry in self.entries
            if any(move.version == number for move in entry.moves) or entry is self.entries[-1]
        ]


def build_proof(
    content: ProofContent,
    *,
    tree_size: int,
    root: bytes,
    inclusion: Mapping[int, tuple[int, Sequence[bytes]]],
    earlier: tuple[int, Sequence[bytes]] | None,
    key: SigningKey,
    signed_at: datetime,
) -> dict[str, Any]:
    """The proof of ``content``, its head signed with ``key``. Blocking.

    ``inclusion`` has, by sequence, the leaf's index and its path to ``root``; ``earlier`` the size
    of an earlier tree and the path that shows that this one begins with it. Raises
    BackendUnavailable if the key does not sign.
    """
    record = content.version.document()
    policy = content.policy.document()
    entries = [entry.document() for entry in content.entries]
    evidence = [item.document() for item in content.evidence]
    predicate = head_predicate(
        record,
        entries,
        evidence,
        policy,
        tree_size=tree_size,
        root_hash=root.hex(),
        signed_at=timestamp(signed_at),
    )
    head = statement(subject_name(record), str(record["bundle_digest"]), PREDICATE_TYPE, predicate)
    return {
        "schema": SCHEMA,
        "record": record,
        "policy": policy,
        "entries": entries,
        "evidence": evidence,
        "inclusion": [
            {"sequence": sequence, "leaf_index": index, "path": [node.hex() for node in path]}
            for sequence, (index, path) in sorted(inclusion.items())
        ],
        "consistency": None
        if earlier is None
        else {"tree_size": earlier[0], "path": [node.hex() for node in earlier[1]]},
        "head": sign(head, key),
        "public_key": key.public_key.pem(),
    }


def read_proof(document: Any) -> ProofContent:
    """The content of a proof; whether it holds, is not checked. Raises :class:`InvalidInput`, which
    names the part, for what is no proof."""
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        raise InvalidInput(
            f"this is no proof: its schema is not {SCHEMA!r}; write one with "
            "`model-lifecycle export-proof`",
            field="proof",
        )
    missing = sorted(set(PARTS) ^ set(document))
    if missing:
        raise InvalidInput(
            f"a proof has the parts {', '.join(PARTS)}; this one differs in {missing[0]!r:.40}",
            field=f"proof.{missing[0]!s:.40}",
        )
    for name in ("entries", "evidence", "inclusion"):
        if not isinstance(document[name], list):
            raise InvalidInput(f"proof.{name} must be a list", field=f"proof.{name}")
    if document["consistency"] is not None:
        tree_path(document["consistency"], ("tree_size",), "proof.consistency")
    if not document["entries"]:
        raise InvalidInput("proof.entries is empty", field="proof.entries")
    return ProofContent(
        version=_parsed(_version, document["record"], "proof.record"),
        policy=PromotionPolicy.from_document(document["policy"]),
        entries=tuple(
            _parsed(_entry, item, f"proof.entries[{place}]")
            for place, item in enumerate(document["entries"])
        ),
        evidence=tuple(
            _parsed(_evidence, item, f"proof.evidence[{place}]")
            for place, item in enumerate(document["evidence"])
        ),
    )


def subject_name(record: Mapping[str, Any]) -> str:
    """The name of a version in a statement about it."""
    return f"{record['tenant_id']}/{record['model_id']}/{record['version']}"


def tree_path(item: Any, numbers: Sequence[str], field: str) -> tuple[tuple[int, ...], list[bytes]]:
    """The ``numbers`` of a path in a tree, and its hashes. Raises :class:`InvalidInput`."""
    names = {*numbers, "path"}
    if (
        not isinstance(item, Mapping)
        or set(item) != names
        or not all(fits(item[name], int) and item[name] >= 0 for name in numbers)
        or not fits(item["path"], list)
        or not all(isinstance(node, str) and _NODE.fullmatch(node) for node in item["path"])
    ):
        raise InvalidInput(
            f"{field} must have {', '.join(sorted(names))}, the path as hashes in hex", field=field
        )
    return tuple(item[name] for name in numbers), [bytes.fromhex(node) for node in item["path"]]


def _parsed(parse: Any, item: Any, field: str) -> Any:
    try:
        value = parse(item)
        # A field that a later release adds has its default in an earlier proof.
        document = value.document()
        if {name: document[name] for name in item} != item:
            raise ValueError("it is not in the form in which the ledger writes it")
        for name, hint in get_type_hints(type(value)).items():
            content = getattr(value, name)
            if not fits(content, hint) or (name in _DIGESTS and not _DIGEST.fullmatch(content)):
                raise ValueError(f"{name} is {content!r:.60}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"{field} cannot be read: {error!s:.200}", field=field) from None
    return value


def _version(item: Mapping[str, Any]) -> VersionMetadata:
    return VersionMetadata(
        **{
            **item,
            "stage": Stage(item["stage"]),
            "created_at": datetime.fromisoformat(item["created_at"]),
            "updated_at": datetime.fromisoformat(item["updated_at"]),
        }
    )


def _entry(item: Mapping[str, Any]) -> LedgerEntry:
    return LedgerEntry(
        **{
            **item,
            "kind": EntryKind(item["kind"]),
            "at": datetime.fromisoformat(item["at"]),
            "moves": tuple(StageMove.from_document(move) for move in item["moves"]),
            "evidence": tuple(item["evidence"]),
        }
    )


def _evidence(item: Mapping[str, Any]) -> Evidence:
    return Evidence(
        **{
            **item,
            "gate": Gate(item["gate"]),
            "verdict": Verdict(item["verdict"]),
            "origin": Origin(item["origin"]),
            "recorded_at": datetime.fromisoformat(item["recorded_at"]),
        }
    )
