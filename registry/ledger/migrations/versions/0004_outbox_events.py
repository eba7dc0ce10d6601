"""Columns of the outbox for its sweeper and subscribers, and the oldest program that may write.

Revision ID: 0004
Revises: 0003

Rows of a program at migration 0003 have none of the new columns; they are swept all the same.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("kind", sa.String(length=16), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default=sa.text("0")),
        _time("next_attempt_at"),
        _time("settles_at"),
        _time("finished_at"),
    ):
        op.add_column("projections", column)
    op.create_index(
        "pending_projections",
        "projections",
        ["tenant_id", "model_id", "written_at"],
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    compatibility = op.create_table(
        "compatibility",
        sa.Column("oldest_writer", sa.String(length=8), primary_key=True),
    )
    # A program at migration 0003 reads and writes these tables as before.
    op.bulk_insert(compatibility, [{"oldest_writer": "0003"}])


def downgrade() -> None:
    """There is no way back: it would throw the record away. Restore a backup instead."""
    raise NotImplementedError("the ledger is not downgraded; restore a backup instead")


def _time(name: str) -> sa.Column[Any]:
    kind = sa.DateTime(timezone=True)
    return sa.Column(name, kind, nullable=True)
