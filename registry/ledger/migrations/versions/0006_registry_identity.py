"""Which stores belong to the ledger, and up to where its heads are anchored outside of it.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TENANT = sa.String(63).with_variant(sa.String(63, collation="C"), "postgresql")
NAME = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")


def upgrade() -> None:
    identity = op.create_table(
        "registry_identity",
        sa.Column("singleton", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("registry_id", sa.String(length=36), nullable=False),
        sa.Column("artifact_root", sa.Text(), nullable=True),
        sa.Column("artifact_host", sa.Text(), nullable=True),
        sa.Column("tracking_uri", sa.Text(), nullable=True),
        sa.Column("former_roots", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("singleton = 1", name="one_identity"),
        sa.PrimaryKeyConstraint("singleton", name=op.f("pk_registry_identity")),
    )
    now = datetime.now(UTC)
    if op.get_bind().dialect.name == "sqlite":
        now = now.replace(tzinfo=None)
    op.bulk_insert(
        identity,
        [
            {
                "singleton": 1,
                "registry_id": str(uuid.uuid4()),
                "former_roots": [],
                "created_at": now,
            }
        ],
    )
    op.create_table(
        "anchored_heads",
        sa.Column("tenant_id", TENANT, nullable=False),
        sa.Column("model_id", NAME, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("anchored_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "model_id", name=op.f("pk_anchored_heads")),
    )


def downgrade() -> None:
    """There is no way back: it would throw the record away. Restore a backup instead."""
    raise NotImplementedError("the ledger is not downgraded; restore a backup instead")
