"""The tenant's tree has every entry once, in the order of commits, and keeps what was signed."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from support.pages import Pages

from model_lifecycle.registry.attestation.hash_chain import entry_leaf
from model_lifecycle.registry.attestation.merkle import (
    is_consistent,
    root_by_inclusion,
    root_hash,
)
from model_lifecycle.registry.domain.errors import LedgerCorrupt
from model_lifecycle.registry.domain.identifiers import ModelId
from model_lifecycle.registry.ledger.engine import open_engine, writing
from model_lifecycle.registry.ledger.tree import merkle_tree, rows
from model_lifecycle.registry.ledger.tree.merkle_tree import TreeProof


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test's few entries make several chunks and batches."""
    monkeypatch.setattr(rows, "CHUNK", 4)
    monkeypatch.setattr(merkle_tree, "_BATCH", 3)


async def _prove(pages: Pages) -> TreeProof:
    hashes = {entry.sequence: entry.hash for entry in await pages.entries()}
    return await pages.ledger.tree.prove(pages.tenant, pages.model, hashes)


async def test_every_entry_is_a_leaf_under_the_root(pages: Pages) -> None:
    await pages.life()
    await pages.ledger.tree.extend(pages.tenant)

    entries = await pages.entries()
    proof = await _prove(pages)

    assert proof.head.size == len(entries) == 7
    assert proof.head.root == root_hash([entry_leaf(entry.hash) for entry in entries])
    for entry in entries:
        index, path = proof.inclusion[entry.sequence]
        assert index == entry.sequence - 1
        assert root_by_inclusion(entry_leaf(entry.hash), index, 7, path) == proof.head.root


async def test_one_tree_has_the_entries_of_all_models_of_a_tenant(pages: Pages) -> None:
    """In the order of their commits; those of another tenant are in another tree."""
    other = Pages(pages.ledger, pages.tenant, ModelId("other"))
    stranger = Pages(pages.ledger)
    for item in (pages, stranger, other, pages, other):
        await item.register(len(await item.stages()) + 1)
    await pages.ledger.tree.extend(pages.tenant)

    first, second = await _prove(pages), await _prove(other)

    assert first.head == second.head
    assert {index for index, _ in first.inclusion.values()} == {0, 2}
    assert {index for index, _ in second.inclusion.values()} == {1, 3}


async def test_leaves_stay_where_they_are_when_the_tree_grows(pages: Pages) -> None:
    await pages.life()
    await pages.ledger.tree.extend(pages.tenant)
    earlier = await _prove(pages)
    await Pages(pages.ledger, pages.tenant, ModelId("other")).life()
    await pages.ledger.tree.extend(pages.tenant)

    later = await _prove(pages)
    path = await pages.ledger.tree.consistency(pages.tenant, 7, later.head)

    assert later.head.size == 14
    assert {k: v[0] for k, v in later.inclusion.items()} == {
        k: v[0] for k, v in earlier.inclusion.items()
    }
    assert is_consistent(7, earlier.head.root, 14, later.head.root, path)


async def test_two_processes_that_extend_a_tree_at_once_enter_each_entry_once(pages: Pages) -> None:
    await pages.life()

    await asyncio.gather(*(pages.ledger.tree.extend(pages.tenant) for _ in range(4)))

    assert (await _prove(pages)).head.size == 7


async def test_an_entry_that_the_tree_does_not_have_is_named(pages: Pages) -> None:
    await pages.life()

    with pytest.raises(LedgerCorrupt, match="entry 1 is not in the tenant's tree"):
        await _prove(pages)


async def test_an_entry_that_was_replaced_after_it_entered_the_tree_is_named(
    pages: Pages,
) -> None:
    await pages.life()
    await pages.ledger.tree.extend(pages.tenant)

    with pytest.raises(LedgerCorrupt, match="entry 3 is not the entry that"):
        await pages.ledger.tree.prove(pages.tenant, pages.model, {3: "sha256:" + "0" * 64})


async def test_a_signed_head_is_noted_and_a_longer_tree_follows_it(pages: Pages) -> None:
    await pages.life()
    tree = pages.ledger.tree
    await tree.extend(pages.tenant)
    head = (await _prove(pages)).head
    assert await tree.signed_head(pages.tenant) is None

    for _ in range(2):
        await tree.record_head(pages.tenant, head, key_id="k", at=pages.ledger.clock())
    await Pages(pages.ledger, pages.tenant, ModelId("other")).life()
    await tree.extend(pages.tenant)
    longer = (await _prove(pages)).head
    await tree.record_head(pages.tenant, longer, key_id="k", at=pages.ledger.clock())

    assert await tree.signed_head(pages.tenant) == longer


async def test_no_head_is_signed_that_contradicts_an_earlier_one(
    victim: tuple[Pages, AsyncEngine],
) -> None:
    """An entry is rewritten with its hashes, and the tree with it."""
    pages, engine = victim
    await pages.life()
    tree = pages.ledger.tree
    await tree.extend(pages.tenant)
    await tree.record_head(
        pages.tenant, (await _prove(pages)).head, key_id="k", at=pages.ledger.clock()
    )
    forged = "sha256:" + "0" * 64
    async with writing(engine) as connection:
        for statement in (
            "UPDATE tree_leaves SET hash = :hash WHERE tenant_id = :tenant AND leaf_index = 6",
            "UPDATE entries SET hash = :hash WHERE tenant_id = :tenant AND sequence = 7",
        ):
            await connection.execute(text(statement), {"hash": forged, "tenant": pages.tenant})
    await Pages(pages.ledger, pages.tenant, ModelId("other")).register(1)
    await tree.extend(pages.tenant)

    with pytest.raises(LedgerCorrupt, match="whose head was signed with 7 entries"):
        await tree.record_head(
            pages.tenant, (await _prove(pages)).head, key_id="k", at=pages.ledger.clock()
        )


async def test_an_intact_tree_is_verified_with_its_heads(pages: Pages) -> None:
    tree = pages.ledger.tree
    assert await tree.verify(pages.tenant) == 0
    await pages.life()
    await tree.extend(pages.tenant)
    head = (await _prove(pages)).head
    await tree.record_head(pages.tenant, head, key_id="k", at=pages.ledger.clock())
    await Pages(pages.ledger, pages.tenant, ModelId("other")).life()
    await tree.extend(pages.tenant)

    assert await tree.verify(pages.tenant) == 14


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE entries SET hash = :hash WHERE sequence = 3", "entry 3 is another one"),
        ("DELETE FROM entries WHERE sequence = 7", "entry 7 is missing"),
        ("UPDATE tree_leaves SET hash = :hash WHERE leaf_index = 2", "entry 3 is another one"),
        ("UPDATE tree_chunks SET hash = :root WHERE chunk_index = 0", "another root stored"),
        ("UPDATE tree_heads SET root_hash = :root WHERE tree_size = 7", "head was signed with 7"),
        ("DELETE FROM tree_leaves WHERE leaf_index = 6", "head was signed with 7"),
    ],
)
async def test_a_change_of_each_part_of_the_tree_is_named(
    victim: tuple[Pages, AsyncEngine], statement: str, message: str
) -> None:
    pages, engine = victim
    await pages.life()
    tree = pages.ledger.tree
    await tree.extend(pages.tenant)
    await tree.record_head(
        pages.tenant, (await _prove(pages)).head, key_id="k", at=pages.ledger.clock()
    )
    values = {"hash": "sha256:" + "0" * 64, "root": "0" * 64, "tenant": pages.tenant}
    used = {name: value for name, value in values.items() if f":{name}" in f"{statement} :tenant"}
    async with writing(engine) as connection:
        await connection.execute(text(f"{statement} AND tenant_id = :tenant"), used)

    with pytest.raises(LedgerCorrupt, match=message):
        await tree.verify(pages.tenant)


async def test_the_database_refuses_to_change_a_leaf(pages: Pages, database: str) -> None:
    engine = open_engine(database)
    await pages.life()
    await pages.ledger.tree.extend(pages.tenant)

    for statement in ("UPDATE tree_leaves SET hash = 'x'", "DELETE FROM tree_leaves"):
        with pytest.raises(Exception, match="append-only"):
            async with writing(engine) as connection:
                await connection.execute(
                    text(f"{statement} WHERE tenant_id = :tenant"), {"tenant": pages.tenant}
                )
    await engine.dispose()
