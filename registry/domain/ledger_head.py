"""The head of a model's ledger, as it is anchored outside of the ledger's database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import LedgerForked, LedgerTruncated

_TEXT = re.compile(r"([1-9][0-9]{0,17}):(sha256:[0-9a-f]{64})", re.ASCII)
_FILE = re.compile(r"([0-9]{12,18})-([0-9a-f]{64})\.json", re.ASCII)


@dataclass(frozen=True, order=True)
class LedgerHead:
    """The newest entry of a model at some time: its sequence, and its hash, which covers all
    entries before it."""

    epoch: int
    hash: str

    def __str__(self) -> str:
        return f"{self.epoch}:{self.hash}"

    @classmethod
    def parse(cls, text: Any) -> LedgerHead | None:
        """The inverse of ``str``; None for other text."""
        match = _TEXT.fullmatch(text) if isinstance(text, str) else None
        return cls(int(match[1]), match[2]) if match else None

    @property
    def file_name(self) -> str:
        """The name of its object: names sort by epoch, and a listing shows the hash."""
        return f"{self.epoch:012d}-{self.hash.removeprefix('sha256:')}.json"

    @classmethod
    def of_file(cls, name: str) -> LedgerHead | None:
        """The head of the object with this name; None for other objects."""
        match = _FILE.fullmatch(name)
        return cls(int(match[1]), f"sha256:{match[2]}") if match else None


@dataclass(frozen=True)
class AnchorStatus:
    """How far a model's ledger is anchored outside of its database. ``epoch`` is its newest entry,
    ``anchored_epoch`` the newest of which another store has the hash: entries after it could be cut
    off unnoticed. ``unavailable`` names the stores that could not be compared."""

    epoch: int
    anchored_epoch: int
    unavailable: tuple[str, ...]


class AnchorCheck:
    """Compares a chain of one model with the heads that were anchored of it: its entries, or its
    evidence. ``key`` names the heads that were given up, in the detail of an entry."""

    def __init__(self, heads: Iterable[LedgerHead], key: str) -> None:
        self._key = key
        self._unmatched: dict[int, set[str]] = {}
        for head in heads:
            self._unmatched.setdefault(head.epoch, set()).add(head.hash)
        self._abandoned: set[LedgerHead] = set()

    def follow(self, sequence: int, own_hash: str) -> None:
        """Take the next link of the chain."""
        hashes = self._unmatched.get(sequence)
        if hashes is not None and own_hash in hashes:
            hashes.discard(own_hash)
            if not hashes:
                del self._unmatched[sequence]

    def give_up(self, detail: Mapping[str, Any]) -> None:
        """Take the detail of an entry, which may name heads that a person gave up when an older
        backup was restored."""
        if self._key in detail:
            self._abandoned |= abandoned([detail], self._key)

    def contradictions(self) -> list[LedgerHead]:
        """The anchored heads that are not in the chain and were not given up, oldest first."""
        return sorted(
            head
            for epoch, hashes in self._unmatched.items()
            for head in (LedgerHead(epoch, item) for item in hashes)
            if head not in self._abandoned
        )


#: In the detail of an entry: the heads of entries and of evidence that are given up with it.
ABANDONED = "abandoned_heads"
ABANDONED_EVIDENCE = "abandoned_evidence_heads"


def abandoned(details: Iterable[Mapping[str, Any]], key: str) -> set[LedgerHead]:
    """The heads that entries with these details gave up under ``key``."""
    heads = (LedgerHead.parse(text) for detail in details for text in detail.get(key, ()))
    return {head for head in heads if head is not None}


def contradiction(
    model_id: str, epoch: int, anchored: LedgerHead
) -> LedgerTruncated | LedgerForked:
    """The error for an ``anchored`` head that a ledger, which ends at entry ``epoch``, has not."""
    if anchored.epoch > epoch:
        return LedgerTruncated(model_id, epoch + 1, str(anchored.epoch))
    return LedgerForked(model_id, anchored.epoch, anchored.hash)
