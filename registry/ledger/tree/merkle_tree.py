"""One Merkle tree a tenant, over the entries of all its models in the order of their commits.

Writers do not know the tree: entries enter it when a head or a proof is requested, oldest first,
and never change their place afterwards. The roots of complete chunks are stored, so that a proof
reads one chunk of leaves and n/256 roots, and not all leaves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ...attestation.merkle import is_consistent, root_hash
from ...domain.errors import LedgerCorrupt
from ...domain.identifiers import ModelId, TenantId
from .. import tables
from ..engine import reading, writing
from . import rows as stored
from .rows import TreeHead, read_heads, read_leaves, read_size, read_tree
from .verification import head_contradicted, verify_tree

#: Entries that enter the tree in one transaction.
_BATCH = 10_000
#: Any constant number will do: it names the locks that extend a tenant's tree.
_TREE_LOCK = 7_110_452

_LAST = (
    select(func.coalesce(func.max(tables.tree_leaves.c.sequence), 0))
    .where(
        tables.tree_leaves.c.tenant_id == tables.models.c.tenant_id,
        tables.tree_leaves.c.model_id == tables.models.c.model_id,
    )
    .scalar_subquery()
)
#: The tenant's models, and the last entry of each that is in the tree. Materialized: otherwise the
#: database may look for the last entry once an entry, and not once a model.
_MODELS = (
    select(tables.models.c.model_id, tables.models.c.epoch, _LAST.label("last"))
    .where(tables.models.c.tenant_id == bindparam("tenant"))
    .cte("tree_models")
    .prefix_with("MATERIALIZED")
)
_PENDING = (
    select(tables.entries.c.model_id, tables.entries.c.sequence, tables.entries.c.hash)
    .join(
        _MODELS,
        (tables.entries.c.model_id == _MODELS.c.model_id)
        & (tables.entries.c.sequence > _MODELS.c.last),
    )
    .where(tables.entries.c.tenant_id == bindparam("tenant"), _MODELS.c.epoch > _MODELS.c.last)
    .order_by(tables.entries.c.at, tables.entries.c.model_id, tables.entries.c.sequence)
    .limit(bindparam("batch"))
)


@dataclass(frozen=True)
class TreeProof:
    """That entries of a model are in the tree of ``head``: by sequence, the leaf's index and the
    path from it to the root."""

    head: TreeHead
    inclusion: Mapping[int, tuple[int, tuple[bytes, ...]]]


class MerkleTree:
    """The trees of a ledger's tenants."""

    def __init__(self, engine: AsyncEngine) -> None:
        """``engine`` is one for work that may take longer than a request: the first proof of an
        old ledger enters all of its entries."""
        self._engine = engine

    async def extend(self, tenant: TenantId) -> None:
        """Enter the entries that were committed since the tree was extended last. Two callers at
        once are safe."""
        while True:
            async with writing(self._engine, f"the tree of tenant {tenant!r}") as connection:
                if await _extend(connection, tenant) < _BATCH:
                    return

    async def prove(self, tenant: TenantId, model: ModelId, hashes: Mapping[int, str]) -> TreeProof:
        """That the model's entries with these ``hashes``, by sequence, are in the tree, as it is
        stored now.

        Raises :class:`LedgerCorrupt` where the tree has another entry, or none, in that place.
        """
        async with reading(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                await connection.execution_options(isolation_level="REPEATABLE READ")
            places = await _places(connection, tenant, model, hashes)
            tree = await read_tree(connection, tenant, places.values())
        return TreeProof(
            TreeHead(tree.size, tree.root),
            {
                sequence: (index, tuple(tree.inclusion_path(index)))
                for sequence, index in places.items()
            },
        )

    async def consistency(
        self, tenant: TenantId, earlier: int, head: TreeHead
    ) -> tuple[bytes, ...]:
        """The path that shows that the tree of ``head`` begins with that of ``earlier`` leaves, at
        least one and at most as many as it has."""
        async with reading(self._engine) as connection:
            tree = await read_tree(connection, tenant, [earlier], size=head.size)
        return tuple(tree.consistency_path(earlier))

    async def verify(self, tenant: TenantId) -> int:
        """Number of leaves of an intact tree: each is the hash of the entry that it names, and the
        stored roots and the signed heads are those of the leaves. Memory does not grow with it.

        Raises :class:`LedgerCorrupt` for the first that differs.
        """
        async with reading(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                await connection.execution_options(isolation_level="REPEATABLE READ")
            return await verify_tree(connection, tenant)

    async def signed_head(self, tenant: TenantId) -> TreeHead | None:
        """The largest tree of which a head was signed; None if none was."""
        async with reading(self._engine) as connection:
            heads = await read_heads(connection, tenant)
        return heads[-1] if heads else None

    async def record_head(
        self, tenant: TenantId, head: TreeHead, *, key_id: str, at: datetime
    ) -> None:
        """Note that ``head`` is about to be signed, so that no later head can contradict it.

        Raises :class:`LedgerCorrupt` if the tree does not begin with that of the last signed head.
        """
        async with writing(self._engine, f"the tree of tenant {tenant!r}") as connection:
            await _lock(connection, tenant)
            heads = tables.tree_heads
            rows = await connection.execute(
                select(heads.c.tree_size, heads.c.root_hash)
                .where(heads.c.tenant_id == tenant, heads.c.tree_size <= head.size)
                .order_by(heads.c.tree_size.desc())
                .limit(1)
            )
            last = rows.first()
            if last is not None:
                tree = await read_tree(connection, tenant, [last.tree_size], size=head.size)
                path = tree.consistency_path(last.tree_size)
                root = bytes.fromhex(last.root_hash)
                if not is_consistent(last.tree_size, root, head.size, head.root, path):
                    raise head_contradicted(tenant, last.tree_size)
                if last.tree_size == head.size:
                    return
            await connection.execute(
                insert(heads),
                {
                    "tenant_id": tenant,
                    "tree_size": head.size,
                    "root_hash": head.root.hex(),
                    "key_id": key_id,
                    "signed_at": at,
                },
            )


async def _lock(connection: AsyncConnection, tenant: TenantId) -> None:
    """Wait for other writers of this tree. On SQLite a writer is alone anyway."""
    if connection.dialect.name == "postgresql":
        await connection.execute(
            text("SELECT pg_advisory_xact_lock(:tree, hashtext(:tenant))"),
            {"tree": _TREE_LOCK, "tenant": tenant},
        )


async def _extend(connection: AsyncConnection, tenant: TenantId) -> int:
    """Enter at most one batch of entries; how many were entered."""
    await _lock(connection, tenant)
    leaves = tables.tree_leaves
    rows = await connection.execute(_PENDING, {"tenant": tenant, "batch": _BATCH})
    pending = rows.all()
    if not pending:
        return 0
    size = await read_size(connection, tenant)
    await connection.execute(
        insert(leaves),
        [
            {
                "tenant_id": tenant,
                "leaf_index": size + place,
                "model_id": row.model_id,
                "sequence": row.sequence,
                "hash": row.hash,
            }
            for place, row in enumerate(pending)
        ],
    )
    await _store_roots(
        connection, tenant, size // stored.CHUNK, (size + len(pending)) // stored.CHUNK
    )
    return len(pending)


async def _store_roots(
    connection: AsyncConnection, tenant: TenantId, first: int, after: int
) -> None:
    """Store the roots of the chunks from ``first`` up to ``after``, which are complete by now."""
    if first == after:
        return
    chunk = stored.CHUNK
    hashes = await read_leaves(connection, tenant, first * chunk, after * chunk)
    await connection.execute(
        insert(tables.tree_chunks),
        [
            {
                "tenant_id": tenant,
                "chunk_index": first + place,
                "hash": root_hash(hashes[place * chunk : (place + 1) * chunk]).hex(),
            }
            for place in range(after - first)
        ],
    )


async def _places(
    connection: AsyncConnection, tenant: TenantId, model: ModelId, hashes: Mapping[int, str]
) -> dict[int, int]:
    """Index of the leaf of each entry, by sequence."""
    rows = await _rows_of(connection, tenant, model, hashes)
    for sequence, entry_hash in sorted(hashes.items()):
        row = rows.get(sequence)
        if row is None:
            raise LedgerCorrupt(model, sequence, "is not in the tenant's tree of entries")
        if row.hash != entry_hash:
            raise LedgerCorrupt(
                model, sequence, "is not the entry that the tenant's tree of entries has there"
            )
    return {sequence: rows[sequence].leaf_index for sequence in sorted(hashes)}


async def _rows_of(
    connection: AsyncConnection, tenant: TenantId, model: ModelId, sequences: Collection[int]
) -> dict[int, Any]:
    leaves = tables.tree_leaves
    rows = await connection.execute(
        select(leaves).where(
            leaves.c.tenant_id == tenant,
            leaves.c.model_id == model,
            leaves.c.sequence >= min(sequences, default=0),
            leaves.c.sequence <= max(sequences, default=0),
        )
    )
    return {row.sequence: row for row in rows}
