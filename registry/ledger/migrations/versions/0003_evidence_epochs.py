"""When evidence was recorded, by the ledger's own count, and what a version's past means.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("evidence", sa.Column("epoch", sa.BigInteger(), **_zero()))
    op.add_column("evidence", sa.Column("position", sa.Integer(), **_zero()))
    op.add_column(
        "evidence",
        sa.Column("origin", sa.String(length=16), nullable=False, server_default="external"),
    )
    op.add_column("evidence", sa.Column("check_name", sa.String(length=128), nullable=True))
    op.add_column("versions", sa.Column("evidence_since", sa.BigInteger(), **_zero()))
    op.add_column("versions", sa.Column("first_production", sa.BigInteger(), nullable=True))
    op.add_column("versions", sa.Column("left_production", sa.String(length=16), nullable=True))
    _fold_entries()


def downgrade() -> None:
    """There is no way back: it would throw the record away. Restore a backup instead."""
    raise NotImplementedError("the ledger is not downgraded; restore a backup instead")


def _zero() -> dict[str, Any]:
    return {"nullable": False, "server_default": sa.text("0")}


def _fold_entries() -> None:
    """The new columns of ``versions`` are what the entries add up to.

    The rules are written out here: a migration does today what it did when it was new.
    """
    connection = op.get_bind()
    update = sa.text(
        "UPDATE versions SET evidence_since = :evidence_since, "
        "first_production = :first_production, left_production = :left_production "
        "WHERE tenant_id = :tenant_id AND model_id = :model_id AND version = :version"
    )
    for (tenant, model), entries in groupby(_entries(connection), key=lambda row: row[:2]):
        versions: dict[int, dict[str, Any]] = {}
        for _, _, sequence, moves in entries:
            succeeded = any(move["to"] == "production" for move in moves)
            for move in moves:
                record = versions.setdefault(
                    move["version"],
                    {"evidence_since": 0, "first_production": None, "left_production": None},
                )
                if move["from"] is not None and move["to"] in ("development", "archived"):
                    record["evidence_since"] = sequence
                if move["to"] == "production" and record["first_production"] is None:
                    record["first_production"] = sequence
                if move["from"] == "production":
                    replaced = "superseded" if succeeded else "retired"
                    back = move["to"] == "development"
                    record["left_production"] = "rolled_back" if back else replaced
        for version, record in versions.items():
            key = {"tenant_id": tenant, "model_id": model, "version": version}
            connection.execute(update, {**key, **record})


def _entries(connection: Any) -> Iterator[Any]:
    entries = sa.table(
        "entries",
        sa.column("tenant_id"),
        sa.column("model_id"),
        sa.column("sequence"),
        sa.column("moves", sa.JSON),
    )
    yield from connection.execute(
        sa.select(entries)
        .order_by(*(entries.c[name] for name in ("tenant_id", "model_id")))
        .order_by(entries.c.sequence)
    ).fetchall()
