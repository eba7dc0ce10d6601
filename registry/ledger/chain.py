"""The hash chain: each entry's hash covers its content and the hash of the entry before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..rules.canonical import digest
from ..rules.errors import LedgerCorrupt
from ..rules.metadata import LedgerEntry

#: What the first entry of every model names as the hash before it.
GENESIS = "sha256:" + "0" * 64


def sealed(entry: LedgerEntry) -> LedgerEntry:
    """``entry`` with its hash."""
    return replace(entry, hash=digest(entry.content(), field="entry"))


def verify_chain(
    model_id: str, entries: Iterable[LedgerEntry], *, epoch: int, head_hash: str
) -> int:
    """Number of entries, if they are unbroken and end at ``head_hash``.

    Raises :class:`LedgerCorrupt` naming the first entry that was edited, removed or moved.
    """
    expected = GENESIS
    count = 0
    for count, entry in enumerate(entries, start=1):
        if entry.sequence != count:
            raise LedgerCorrupt(model_id, count, "is missing")
        if entry.previous_hash != expected:
            raise LedgerCorrupt(model_id, count, "does not follow the entry before it")
        if sealed(entry).hash != entry.hash:
            raise LedgerCorrupt(model_id, count, "was edited")
        expected = entry.hash
    if count < epoch:
        raise LedgerCorrupt(model_id, count + 1, f"is missing: the ledger had {epoch} entries")
    if count > epoch:
        raise LedgerCorrupt(model_id, epoch + 1, f"was added: the ledger had {epoch} entries")
    if expected != head_hash:
        raise LedgerCorrupt(model_id, count, "was replaced: its hash is not the ledger's head")
    return count
