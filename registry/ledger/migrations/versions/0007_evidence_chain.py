"""A chain over each model's evidence, which the entries of its ledger seal.

Revision ID: 0007
Revises: 0006

Evidence from before has position 0 and is in no chain; entries name what they stand on by digest.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_GENESIS = "sha256:" + "0" * 64


def upgrade() -> None:
    op.add_column("evidence", _count("chain_position"))
    op.add_column("evidence", sa.Column("chain_hash", sa.String(length=71), nullable=True))
    op.create_index(
        op.f("ix_evidence_tenant_id_model_id_chain_position"),
        "evidence",
        ["tenant_id", "model_id", "chain_position"],
    )
    op.add_column("models", _count("evidence_count"))
    op.add_column(
        "models",
        sa.Column("evidence_head", sa.String(length=71), nullable=False, server_default=_GENESIS),
    )
    op.add_column("anchored_heads", _count("evidence_count"))


def downgrade() -> None:
    """There is no way back: it would throw the record away. Restore a backup instead."""
    raise NotImplementedError("the ledger is not downgraded; restore a backup instead")


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0"))
