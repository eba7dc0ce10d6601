"""The hash chain: each entry's hash covers its content and the hash of the entry before."""

from __future__ import annotations

from dataclasses import replace

from ..domain.canonical_json import digest
from ..domain.errors import LedgerCorrupt
from ..domain.models import LedgerEntry
from .merkle import leaf_hash

#: What the first entry of every model names as the hash before it.
GENESIS = "sha256:" + "0" * 64


def sealed(entry: LedgerEntry) -> LedgerEntry:
    """``entry`` with its hash."""
    return replace(entry, hash=entry_hash(entry))


def entry_hash(entry: LedgerEntry) -> str:
    """The hash of the entry's content."""
    return digest(entry.content(), field="entry")


def entry_leaf(entry_hash: str) -> bytes:
    """The leaf of the entry with this hash in its tenant's tree: it holds the entry's SHA-256."""
    return leaf_hash(bytes.fromhex(entry_hash.removeprefix("sha256:")))


class ChainCheck:
    """Follows a chain entry by entry. Raises :class:`LedgerCorrupt` naming the first entry that was
    edited, removed or moved."""

    def __init__(self, model_id: str) -> None:
        self.count = 0
        self._model_id = model_id
        self._expected = GENESIS

    def follow(self, entry: LedgerEntry) -> None:
        """Check the next entry."""
        self.count += 1
        if entry.sequence != self.count:
            raise LedgerCorrupt(self._model_id, self.count, "is missing")
        if entry.previous_hash != self._expected:
            raise LedgerCorrupt(self._model_id, self.count, "does not follow the entry before it")
        if entry_hash(entry) != entry.hash:
            raise LedgerCorrupt(self._model_id, self.count, "was edited")
        self._expected = entry.hash

    def finish(self, *, epoch: int, head_hash: str) -> None:
        """Check that the chain ends where the model's row says."""
        count, model_id = self.count, self._model_id
        if count < epoch:
            raise LedgerCorrupt(model_id, count + 1, f"is missing: the ledger had {epoch} entries")
        if count > epoch:
            raise LedgerCorrupt(model_id, epoch + 1, f"was added: the ledger had {epoch} entries")
        if self._expected != head_hash:
            raise LedgerCorrupt(model_id, count, "was replaced: its hash is not the ledger's head")
