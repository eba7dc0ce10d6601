"""The chain over a model's evidence: what was recorded cannot be removed or edited unseen.

Evidence is no entry of the ledger, since it moves nothing and must not make a writer's state stale.
Each piece has a hash over its digest and the hash of the piece before; an entry seals the newest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..attestation.hash_chain import GENESIS
from ..domain.canonical_json import digest
from ..domain.errors import LedgerCorrupt
from ..domain.evidence import Evidence

#: In the detail of an entry: how much evidence there was, and the hash of the newest.
SEAL = "evidence_chain"


def next_hash(previous: str, item: Evidence) -> str:
    """The hash of a piece of evidence that follows the one with the hash ``previous``."""
    return digest({"previous": previous, "evidence": item.digest()}, field="evidence")


def seal(count: int, head: str) -> dict[str, Any]:
    """The part of an entry's detail that seals so much evidence; empty where there is none."""
    return {SEAL: {"count": count, "head": head}} if count else {}


class EvidenceCheck:
    """Follows the chain of a model's evidence, and compares it with what its entries sealed."""

    def __init__(self, model_id: str) -> None:
        self.count = 0
        self.head = GENESIS
        self._model_id = model_id

    def follow(self, position: int, chain_hash: str, item: Evidence) -> None:
        """Check the next piece. Raises :class:`LedgerCorrupt` naming it and the ledger's epoch at
        which it was recorded."""
        self.count += 1
        if position != self.count:
            raise LedgerCorrupt(
                self._model_id, item.epoch, f"is followed by evidence {self.count} that is missing"
            )
        self.head = next_hash(self.head, item)
        if self.head != chain_hash:
            raise LedgerCorrupt(
                self._model_id,
                item.epoch,
                f"is followed by evidence {item.evidence_id} that was changed since",
            )

    def compare(self, sequence: int, detail: Mapping[str, Any]) -> None:
        """Compare with the seal in the detail of entry ``sequence``, before which exactly the
        evidence so far was recorded."""
        sealed = detail.get(SEAL)
        if sealed is not None and sealed != {"count": self.count, "head": self.head}:
            raise LedgerCorrupt(
                self._model_id,
                sequence,
                f"sealed {sealed.get('count')} pieces of evidence, but there are {self.count} from "
                "before it, or others",
            )

    def finish(self, epoch: int, count: int, head: str) -> None:
        """Compare with what the model's row says at its ``epoch``."""
        if (self.count, self.head) != (count, head):
            raise LedgerCorrupt(
                self._model_id,
                epoch,
                f"is followed by {self.count} pieces of evidence in all, but {count} were recorded",
            )
