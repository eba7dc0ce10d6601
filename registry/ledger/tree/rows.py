"""Reads of a tenant's Merkle tree as it is stored: leaves, roots of chunks, signed heads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ...attestation.hash_chain import entry_leaf
from ...attestation.merkle import ChunkedTree
from ...domain.identifiers import TenantId
from .. import tables

#: Leaves of a complete chunk.
CHUNK = 256


@dataclass(frozen=True)
class TreeHead:
    """The root of a tenant's tree when it had ``size`` leaves."""

    size: int
    root: bytes


async def read_size(connection: AsyncConnection, tenant: TenantId) -> int:
    """Number of leaves."""
    leaves = tables.tree_leaves
    last = await connection.scalar(
        select(func.max(leaves.c.leaf_index)).where(leaves.c.tenant_id == tenant)
    )
    return 0 if last is None else last + 1


async def read_leaves(
    connection: AsyncConnection, tenant: TenantId, start: int, end: int
) -> list[bytes]:
    """The hashes of the leaves from ``start`` up to ``end``."""
    leaves = tables.tree_leaves
    rows = await connection.scalars(
        select(leaves.c.hash)
        .where(
            leaves.c.tenant_id == tenant,
            leaves.c.leaf_index >= start,
            leaves.c.leaf_index < end,
        )
        .order_by(leaves.c.leaf_index)
    )
    return [entry_leaf(entry_hash) for entry_hash in rows]


async def read_tree(
    connection: AsyncConnection, tenant: TenantId, indexes: Collection[int], size: int | None = None
) -> ChunkedTree:
    """The tree, by the leaves of the chunks that hold ``indexes``, and by the roots of others."""
    if size is None:
        size = await read_size(connection, tenant)
    complete = size // CHUNK
    roots = await connection.scalars(
        select(tables.tree_chunks.c.hash)
        .where(
            tables.tree_chunks.c.tenant_id == tenant, tables.tree_chunks.c.chunk_index < complete
        )
        .order_by(tables.tree_chunks.c.chunk_index)
    )
    chunks = {
        number: await read_leaves(
            connection, tenant, number * CHUNK, min((number + 1) * CHUNK, size)
        )
        for number in sorted({index // CHUNK for index in [*indexes, size]})
        if number * CHUNK < size
    }
    return ChunkedTree(size, [bytes.fromhex(root) for root in roots], chunks, CHUNK)


async def read_heads(connection: AsyncConnection, tenant: TenantId) -> list[TreeHead]:
    """The signed heads, the smallest tree first."""
    heads = tables.tree_heads
    rows = await connection.execute(
        select(heads.c.tree_size, heads.c.root_hash)
        .where(heads.c.tenant_id == tenant)
        .order_by(heads.c.tree_size)
    )
    return [TreeHead(row.tree_size, bytes.fromhex(row.root_hash)) for row in rows]
