"""A chain over each model's evidence, which the entries of its ledger seal, and one over the
changes of each tenant's API keys.

Revision ID: 0007
Revises: 0006

Evidence from before has position 0 and is in no chain; entries name what they stand on by digest.
Keys from before enter the chain as they are now.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from model_lifecycle.registry.attestation.hash_chain import GENESIS
from model_lifecycle.registry.ledger.api_keys import (
    CREATED,
    REVOKED,
    change_values,
    created_document,
    revoked_document,
)
from model_lifecycle.registry.ledger.tables import api_keys, key_changes

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_GENESIS = "sha256:" + "0" * 64
_TENANT = sa.String(length=63).with_variant(sa.String(63, collation="C"), "postgresql")


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
    op.create_table(
        "key_changes",
        sa.Column("tenant_id", _TENANT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("key", sa.JSON(), nullable=False),
        sa.Column("previous_hash", sa.String(length=71), nullable=False),
        sa.Column("hash", sa.String(length=71), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "sequence", name=op.f("pk_key_changes")),
    )
    _refuse_changes()
    _enter_keys()


def downgrade() -> None:
    """There is no way back: it would throw the record away. Restore a backup instead."""
    raise NotImplementedError("the ledger is not downgraded; restore a backup instead")


def _refuse_changes() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER key_changes_append_only BEFORE UPDATE OR DELETE ON key_changes "
            "FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only()"
        )
        op.execute(
            "CREATE TRIGGER key_changes_not_emptied BEFORE TRUNCATE ON key_changes "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER key_changes_no_{change.lower()} BEFORE {change} ON key_changes "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        )


def _enter_keys() -> None:
    """Enter the keys that are there. The chain's own code does it: what it writes now has to
    verify as long as there is a chain."""
    connection = op.get_bind()
    sequences: dict[str, int] = {}
    heads: dict[str, str] = {}
    rows = connection.execute(sa.select(api_keys).order_by(api_keys.c.created_at))
    for row in [dict(item) for item in rows.mappings()]:
        changes = [(CREATED, row["created_at"], row["created_by"], created_document(row))]
        if row["revoked_at"] is not None:
            revoked = revoked_document(row["key_id"], row["revoked_at"])
            changes.append((REVOKED, row["revoked_at"], "migration", revoked))
        for kind, at, actor, key in changes:
            tenant = row["tenant_id"]
            sequences[tenant] = sequences.get(tenant, 0) + 1
            values = change_values(
                tenant, sequences[tenant], kind, at, actor, key, heads.get(tenant, GENESIS)
            )
            heads[tenant] = values["hash"]
            connection.execute(sa.insert(key_changes), values)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0"))
