"""Checks a tenant's Merkle tree: its leaves, the roots stored of them, and every signed head."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ...attestation.merkle import ChunkedTree, root_hash
from ...domain.errors import LedgerCorrupt
from ...domain.identifiers import TenantId
from .. import tables
from . import rows as stored_rows
from .rows import TreeHead, read_heads, read_leaves, read_size


async def verify_tree(connection: AsyncConnection, tenant: TenantId) -> int:
    """Number of leaves of an intact tree. Raises :class:`LedgerCorrupt` for the first entry, stored
    root or signed head that differs."""
    await _check_entries(connection, tenant)
    size = await read_size(connection, tenant)
    roots = await _check_roots(connection, tenant, size)
    for head in await read_heads(connection, tenant):
        if head.size > size or await _root(connection, tenant, head, roots) != head.root:
            raise head_contradicted(tenant, head.size)
    return size


def head_contradicted(tenant: TenantId, size: int) -> LedgerCorrupt:
    """The error of a tree that does not begin with that of the signed head with ``size`` leaves."""
    return LedgerCorrupt(
        f"tenant {tenant}",
        size,
        "or one before it was changed: the tree of entries differs from the one whose head was "
        f"signed with {size} entries",
    )


async def _root(
    connection: AsyncConnection, tenant: TenantId, head: TreeHead, roots: list[bytes]
) -> bytes:
    """The root of the first leaves, as many as the head had."""
    complete, rest = divmod(head.size, stored_rows.CHUNK)
    leaves = await read_leaves(connection, tenant, head.size - rest, head.size)
    chunks = {complete: leaves} if rest else {}
    return ChunkedTree(head.size, roots[:complete], chunks, stored_rows.CHUNK).root


async def _check_entries(connection: AsyncConnection, tenant: TenantId) -> None:
    """Return if each leaf has the hash of the entry that it names. Raises LedgerCorrupt."""
    leaves, entries = tables.tree_leaves, tables.entries
    rows = await connection.execute(
        select(leaves.c.model_id, leaves.c.sequence, entries.c.hash)
        .select_from(
            leaves.outerjoin(
                entries,
                (entries.c.tenant_id == leaves.c.tenant_id)
                & (entries.c.model_id == leaves.c.model_id)
                & (entries.c.sequence == leaves.c.sequence),
            )
        )
        .where(
            leaves.c.tenant_id == tenant,
            entries.c.hash.is_(None) | (entries.c.hash != leaves.c.hash),
        )
        .order_by(leaves.c.leaf_index)
        .limit(1)
    )
    row = rows.first()
    if row is not None:
        what = "is missing" if row.hash is None else "is another one"
        raise LedgerCorrupt(
            row.model_id, row.sequence, f"{what}: the tenant's tree of entries has its hash"
        )


async def _check_roots(connection: AsyncConnection, tenant: TenantId, size: int) -> list[bytes]:
    """The roots of the complete chunks, as the leaves have them. Raises LedgerCorrupt for the first
    stored root that differs."""
    chunks, chunk = tables.tree_chunks, stored_rows.CHUNK
    rows = await connection.execute(
        select(chunks.c.chunk_index, chunks.c.hash).where(chunks.c.tenant_id == tenant)
    )
    stored = {row.chunk_index: row.hash for row in rows}
    roots = []
    for number in range(size // chunk):
        start, end = number * chunk, (number + 1) * chunk
        root = root_hash(await read_leaves(connection, tenant, start, end))
        if stored.get(number) != root.hex():
            raise LedgerCorrupt(
                f"tenant {tenant}",
                start + 1,
                f"or one of those up to {end} was changed: the tree of entries has another root "
                "stored for them",
            )
        roots.append(root)
    return roots
