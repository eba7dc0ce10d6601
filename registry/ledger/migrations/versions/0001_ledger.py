"""The ledger's first tables, and the triggers that keep what was written as it was.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TENANT = sa.String(63).with_variant(sa.String(63, collation="C"), "postgresql")
NAME = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")
APPEND_ONLY = ("entries", "evidence")


def upgrade() -> None:
    _create_tables()
    if op.get_bind().dialect.name == "postgresql":
        _refuse_changes_on_postgresql()
    else:
        _refuse_changes_on_sqlite()


def downgrade() -> None:
    """There is no way back: it would throw the record away. Restore a backup instead."""
    raise NotImplementedError("the ledger is not downgraded; restore a backup instead")


def _create_tables() -> None:
    op.create_table(
        "entries",
        sa.Column("tenant_id", TENANT, nullable=False),
        sa.Column("model_id", NAME, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("moves", sa.JSON(), nullable=False),
        sa.Column("production", sa.Integer(), nullable=True),
        sa.Column("previous_production", sa.Integer(), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("previous_hash", sa.String(length=71), nullable=False),
        sa.Column("hash", sa.String(length=71), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "model_id", "sequence", name=op.f("pk_entries")),
    )
    op.create_index(
        op.f("ix_entries_tenant_id_model_id_at"),
        "entries",
        ["tenant_id", "model_id", "at"],
        unique=False,
    )
    op.create_table(
        "models",
        sa.Column("tenant_id", TENANT, nullable=False),
        sa.Column("model_id", NAME, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("model_type", sa.String(length=32), nullable=False),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("policy_fingerprint", sa.String(length=71), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("head_hash", sa.String(length=71), nullable=False),
        sa.Column("production_version", sa.Integer(), nullable=True),
        sa.Column("current_version", sa.Integer(), nullable=True),
        sa.Column("stage", sa.String(length=16), nullable=True),
        sa.Column("framework", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "model_id", name=op.f("pk_models")),
    )
    op.create_index(
        op.f("ix_models_tenant_id_framework_model_id"),
        "models",
        ["tenant_id", "framework", "model_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_models_tenant_id_stage_model_id"),
        "models",
        ["tenant_id", "stage", "model_id"],
        unique=False,
    )
    op.create_table(
        "operations",
        sa.Column("tenant_id", TENANT, nullable=False),
        sa.Column("operation_id", sa.String(length=512), nullable=False),
        sa.Column("model_id", NAME, nullable=False),
        sa.Column("request", sa.String(length=71), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("plan", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "operation_id", name=op.f("pk_operations")),
    )
    op.create_index(
        "pending_operations",
        "operations",
        ["tenant_id", "started_at"],
        unique=False,
        sqlite_where=sa.text("answer IS NULL"),
        postgresql_where=sa.text("answer IS NULL"),
    )
    op.create_table(
        "projections",
        sa.Column("tenant_id", TENANT, nullable=False),
        sa.Column("model_id", NAME, nullable=False),
        sa.Column("token", sa.String(length=36), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "model_id", "token", name=op.f("pk_projections")),
    )
    op.create_table(
        "versions",
        sa.Column("tenant_id", TENANT, nullable=False),
        sa.Column("model_id", NAME, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("framework", sa.String(length=32), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("artifact_uri", sa.Text(), nullable=False),
        sa.Column("bundle_digest", sa.String(length=71), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("logged_model_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "model_id"],
            ["models.tenant_id", "models.model_id"],
            name="fk_versions_models",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "model_id", "version", name=op.f("pk_versions")),
    )
    op.create_index(
        op.f("ix_versions_tenant_id_model_id_stage_version"),
        "versions",
        ["tenant_id", "model_id", "stage", "version"],
        unique=False,
    )
    op.create_index(
        "one_production_version",
        "versions",
        ["tenant_id", "model_id"],
        unique=True,
        sqlite_where=sa.text("stage = 'production'"),
        postgresql_where=sa.text("stage = 'production'"),
    )
    op.create_table(
        "evidence",
        sa.Column("tenant_id", TENANT, nullable=False),
        sa.Column("evidence_id", sa.String(length=128), nullable=False),
        sa.Column("model_id", NAME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("gate", sa.String(length=16), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("bundle_digest", sa.String(length=71), nullable=False),
        sa.Column("baseline", sa.Integer(), nullable=True),
        sa.Column("policy_fingerprint", sa.String(length=71), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("report_uri", sa.Text(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "model_id", "version"],
            ["versions.tenant_id", "versions.model_id", "versions.version"],
            name="fk_evidence_versions",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "evidence_id", name=op.f("pk_evidence")),
    )
    op.create_index(
        op.f("ix_evidence_tenant_id_model_id_version_recorded_at"),
        "evidence",
        ["tenant_id", "model_id", "version", "recorded_at"],
        unique=False,
    )


def _refuse_changes_on_postgresql() -> None:
    op.execute(
        """
        CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the ledger is append-only: % on % refused', TG_OP, TG_TABLE_NAME;
        END
        $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only()"
        )


def _refuse_changes_on_sqlite() -> None:
    for table in APPEND_ONLY:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
            )
