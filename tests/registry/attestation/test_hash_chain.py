"""The hash chain: an edited, removed or moved entry is detected, at the first such entry."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.registry.attestation.hash_chain import GENESIS, ChainCheck, sealed
from model_lifecycle.registry.domain.errors import LedgerCorrupt
from model_lifecycle.registry.domain.models import EntryKind, LedgerEntry, StageMove
from model_lifecycle.registry.domain.stages import Stage

LENGTH = 5


def _chain(length: int = LENGTH) -> list[LedgerEntry]:
    entries: list[LedgerEntry] = []
    for number in range(1, length + 1):
        entry = LedgerEntry(
            tenant_id="acme",
            model_id="churn",
            sequence=number,
            kind=EntryKind.MOVED,
            at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number),
            actor="kim",
            reason="why",
            moves=(StageMove(number, Stage.STAGING, Stage.PRODUCTION),),
            production=number,
            previous_production=number - 1 or None,
            evidence=({"evidence_id": f"e{number}", "digest": "sha256:0"},),
            forced=False,
            operation_id=f"op{number}",
            detail={"a": [1, 2.5, None]},
            previous_hash=entries[-1].hash if entries else GENESIS,
            hash="",
        )
        entries.append(sealed(entry))
    return entries


def _followed(entries: list[LedgerEntry], *, epoch: int, head_hash: str) -> int:
    check = ChainCheck("churn")
    for entry in entries:
        check.follow(entry)
    check.finish(epoch=epoch, head_hash=head_hash)
    return check.count


def _verify(entries: list[LedgerEntry], of: list[LedgerEntry] | None = None) -> int:
    head = (of or _chain())[-1]
    return _followed(entries, epoch=head.sequence, head_hash=head.hash)


def test_an_untouched_chain_is_whole() -> None:
    """The number of its entries is returned; an empty one ends where every chain begins."""
    assert _verify(_chain()) == LENGTH
    assert _followed([], epoch=0, head_hash=GENESIS) == 0


EDITS: dict[str, Any] = {
    "tenant_id": "umbrella",
    "model_id": "fraud",
    "kind": EntryKind.ROLLED_BACK,
    "at": datetime(2025, 1, 1, tzinfo=UTC),
    "actor": "eve",
    "reason": "",
    "moves": (),
    "production": 99,
    "previous_production": 99,
    "evidence": (),
    "forced": True,
    "operation_id": "another",
    "detail": {"a": [1, 2.5, 0]},
    "hash": "sha256:" + "f" * 64,
}


@pytest.mark.parametrize("field", EDITS)
@pytest.mark.parametrize("number", range(1, LENGTH + 1))
def test_every_field_of_every_entry_is_covered(field: str, number: int) -> None:
    """An edit is found at the entry that was edited."""
    entries = _chain()
    entries[number - 1] = replace(entries[number - 1], **{field: EDITS[field]})
    with pytest.raises(LedgerCorrupt) as caught:
        _verify(entries)

    assert (caught.value.sequence, caught.value.problem) == (number, "was edited")


@given(st.integers(1, LENGTH), st.sampled_from([name for name in EDITS if name != "hash"]))
def test_an_edit_that_is_sealed_again_is_found_where_the_next_begins(
    number: int, field: str
) -> None:
    """A recomputed hash breaks the link to the next entry, or the head."""
    entries = _chain()
    entries[number - 1] = sealed(replace(entries[number - 1], **{field: EDITS[field]}))
    with pytest.raises(LedgerCorrupt) as caught:
        _verify(entries)

    assert caught.value.sequence == min(number + 1, LENGTH)


@given(st.sets(st.integers(1, LENGTH), min_size=1))
def test_removed_entries_are_missed(removed: set[int]) -> None:
    """The first one that is not there is named, whether in the middle or at the end."""
    entries = [entry for entry in _chain() if entry.sequence not in removed]
    with pytest.raises(LedgerCorrupt, match="is missing") as caught:
        _verify(entries)

    assert caught.value.sequence == min(removed)


@given(st.permutations(range(LENGTH)))
def test_another_order_is_found(order: list[int]) -> None:
    """Entries that are given each other's numbers do not follow each other any more."""
    chain = _chain()
    moved = [
        replace(chain[source], sequence=number) for number, source in enumerate(order, start=1)
    ]
    first = next((number for number, at in enumerate(order) if number != at), None)
    if first is None:
        assert _verify(moved) == LENGTH
        return
    with pytest.raises(LedgerCorrupt) as caught:
        _verify(moved)

    assert caught.value.sequence == first + 1


@given(st.integers(1, LENGTH - 1))
def test_a_chain_cut_short_with_its_head_is_another_chain(length: int) -> None:
    """Only who also rewrites the model's row can cut the end off; the stages then tell."""
    cut = _chain(length)

    assert _verify(cut, of=cut) == length
    with pytest.raises(LedgerCorrupt):
        _verify(cut)


def test_a_whole_chain_made_anew_does_not_end_at_the_head() -> None:
    """Every hash fits, and the last one is not the ledger's."""
    entries: list[LedgerEntry] = []
    for entry in _chain():
        previous = entries[-1].hash if entries else GENESIS
        entries.append(sealed(replace(entry, actor="eve", previous_hash=previous)))
    with pytest.raises(LedgerCorrupt, match="not the ledger's head") as caught:
        _verify(entries)

    assert caught.value.details() == {
        "sequence": LENGTH,
        "problem": "was replaced: its hash is not the ledger's head",
    }
