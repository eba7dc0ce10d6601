"""Signed evidence, and a Merkle tree over each tenant's entries.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NAME = sa.String(length=128).with_variant(sa.String(128, collation="C"), "postgresql")
TENANT = sa.String(length=63).with_variant(sa.String(63, collation="C"), "postgresql")
APPEND_ONLY = ("tree_leaves", "tree_heads")


def upgrade() -> None:
    op.add_column("evidence", sa.Column("envelope", sa.JSON(), nullable=True))
    op.create_table(
        "tree_leaves",
        sa.Column("tenant_id", TENANT, nullable=False),
        sa.Column("leaf_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model_id", NAME, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=71), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "leaf_index", name=op.f("pk_tree_leaves")),
    )
    op.create_index(
        op.f("ix_tree_leaves_tenant_id_model_id_sequence"),
        "tree_leaves",
        ["tenant_id", "model_id", "sequence"],
        unique=True,
    )
    op.create_table(
        "tree_chunks",
        sa.Column("tenant_id", TENANT, nullable=False),
        sa.Column("chunk_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "chunk_index", name=op.f("pk_tree_chunks")),
    )
    op.create_table(
        "tree_heads",
        sa.Column("tenant_id", TENANT, nullable=False),
        sa.Column("tree_size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root_hash", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=128), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "tree_size", name=op.f("pk_tree_heads")),
    )
    _refuse_changes()


def downgrade() -> None:
    """There is no way back: it would throw the record away. Restore a backup instead."""
    raise NotImplementedError("the ledger is not downgraded; restore a backup instead")


def _refuse_changes() -> None:
    for table in APPEND_ONLY:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only()"
            )
            continue
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
            )
