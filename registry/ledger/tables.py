"""The ledger's tables. ``entries`` and ``evidence`` are append-only; the rest is their fold.

``models`` and ``versions`` hold what the entries add up to, so that reads are one indexed query;
``verify_ledger`` checks that they still agree.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.engine import Dialect


class UtcDateTime(TypeDecorator[datetime]):
    """An instant in UTC with microseconds. SQLite keeps it without its zone; this adds it back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# "C" order, so that the order of names, and with it every page of a list, is the same on every
# server, whatever its locale.
NAME = String(128).with_variant(String(128, collation="C"), "postgresql")
TENANT = String(63).with_variant(String(63, collation="C"), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
    }
)


def _of_model() -> tuple[Column[str], Column[str]]:
    return (
        Column("tenant_id", TENANT, primary_key=True),
        Column("model_id", NAME, primary_key=True),
    )


models = Table(
    "models",
    metadata,
    *_of_model(),
    Column("description", Text, nullable=False),
    Column("model_type", String(32), nullable=False),
    Column("policy", JSON, nullable=False),
    Column("policy_fingerprint", String(71), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("head_hash", String(71), nullable=False),
    # The end of the chain over the model's evidence.
    Column("evidence_count", BigInteger, nullable=False, server_default=text("0")),
    Column("evidence_head", String(71), nullable=False, server_default="sha256:" + "0" * 64),
    Column("production_version", Integer),
    # The version that a reader of the model sees, and two of its fields to filter by. Null when
    # every version was deleted: the model is then a record, and not found.
    Column("current_version", Integer),
    Column("stage", String(16)),
    Column("framework", String(32)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index(None, "tenant_id", "stage", "model_id"),
    Index(None, "tenant_id", "framework", "model_id"),
)

versions = Table(
    "versions",
    metadata,
    *_of_model(),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("stage", String(16), nullable=False),
    Column("framework", String(32), nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("artifact_uri", Text, nullable=False),
    Column("bundle_digest", String(71), nullable=False),
    Column("run_id", String(64)),
    Column("logged_model_id", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    # What the version's past means, as ``rules.stage_record`` has it.
    Column("evidence_since", BigInteger, nullable=False, server_default=text("0")),
    Column("first_production", BigInteger),
    Column("left_production", String(16)),
    ForeignKeyConstraint(
        ["tenant_id", "model_id"],
        ["models.tenant_id", "models.model_id"],
        name="fk_versions_models",
    ),
    Index(None, "tenant_id", "model_id", "stage", "version"),
    # The promise, held by the database itself: a second production version cannot be written.
    Index(
        "one_production_version",
        "tenant_id",
        "model_id",
        unique=True,
        sqlite_where=text("stage = 'production'"),
        postgresql_where=text("stage = 'production'"),
    ),
)

entries = Table(
    "entries",
    metadata,
    *_of_model(),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("moves", JSON, nullable=False),
    Column("production", Integer),
    Column("previous_production", Integer),
    Column("evidence", JSON, nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("operation_id", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("previous_hash", String(71), nullable=False),
    Column("hash", String(71), nullable=False),
    Index(None, "tenant_id", "model_id", "at"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("tenant_id", TENANT, primary_key=True),
    Column("evidence_id", String(128), primary_key=True),
    Column("model_id", NAME, nullable=False),
    Column("version", Integer, nullable=False),
    Column("gate", String(16), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("bundle_digest", String(71), nullable=False),
    Column("baseline", Integer),
    Column("policy_fingerprint", String(71), nullable=False),
    Column("summary", JSON, nullable=False),
    Column("report_uri", Text),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("recorded_by", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("position", Integer, nullable=False, server_default=text("0")),
    Column("origin", String(16), nullable=False, server_default="external"),
    Column("check_name", String(128)),
    # Its place in the chain over the model's evidence; 0 for what is older than the chain.
    Column("chain_position", BigInteger, nullable=False, server_default=text("0")),
    Column("chain_hash", String(71)),
    # The gate's signed statement: an in-toto statement in a DSSE envelope.
    Column("envelope", JSON(none_as_null=True)),
    ForeignKeyConstraint(
        ["tenant_id", "model_id", "version"],
        ["versions.tenant_id", "versions.model_id", "versions.version"],
        name="fk_evidence_versions",
    ),
    Index(None, "tenant_id", "model_id", "version", "recorded_at"),
    Index(None, "tenant_id", "model_id", "chain_position"),
)

operations = Table(
    "operations",
    metadata,
    Column("tenant_id", TENANT, primary_key=True),
    Column("operation_id", String(512), primary_key=True),
    Column("model_id", NAME, nullable=False),
    Column("request", String(71), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    # Null until the operation has committed; then what every repetition of it is answered.
    Column("answer", JSON(none_as_null=True)),
    # What an interrupted registration needs to be finished by another process.
    Column("plan", JSON(none_as_null=True)),
    Index(
        "pending_operations",
        "tenant_id",
        "started_at",
        sqlite_where=text("answer IS NULL"),
        postgresql_where=text("answer IS NULL"),
    ),
)

#: The outbox. A row is written with each change, and finished once MLflow shows the change: a row
#: that is not finished tells of a writer that did not come to its end.
projections = Table(
    "projections",
    metadata,
    *_of_model(),
    Column("token", String(36), primary_key=True),
    Column("versions", JSON, nullable=False),
    Column("written_at", UtcDateTime, nullable=False),
    # The change as its subscribers need it. Null in the rows of programs at migration 0003.
    Column("kind", String(16)),
    Column("actor", Text),
    Column("sequence", BigInteger),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    # Of the sweeper. Until ``settles_at``, a request that nobody waits for any more may arrive.
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", UtcDateTime),
    Column("settles_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Index(
        "pending_projections",
        "tenant_id",
        "model_id",
        "written_at",
        sqlite_where=text("finished_at IS NULL"),
        postgresql_where=text("finished_at IS NULL"),
    ),
)

#: One row: the migration of the oldest program that may write to these tables.
compatibility = Table(
    "compatibility", metadata, Column("oldest_writer", String(8), primary_key=True)
)

#: Credentials of the HTTP API. The key itself is kept by its owner alone, here is its SHA-256.
api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String(32), primary_key=True),
    Column("tenant_id", TENANT, nullable=False),
    Column("name", String(128), nullable=False),
    Column("roles", JSON, nullable=False),
    Column("secret_hash", String(71), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Index(None, "tenant_id", "key_id"),
)

#: The tenant's Merkle tree: which entry is which leaf. Append-only.
tree_leaves = Table(
    "tree_leaves",
    metadata,
    Column("tenant_id", TENANT, primary_key=True),
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("model_id", NAME, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", String(71), nullable=False),
    Index(None, "tenant_id", "model_id", "sequence", unique=True),
)

#: Roots of the tree's complete chunks of leaves, computed once.
tree_chunks = Table(
    "tree_chunks",
    metadata,
    Column("tenant_id", TENANT, primary_key=True),
    Column("chunk_index", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
)

#: Heads that were signed: no later head may contradict one of them. Append-only.
tree_heads = Table(
    "tree_heads",
    metadata,
    Column("tenant_id", TENANT, primary_key=True),
    Column("tree_size", BigInteger, primary_key=True, autoincrement=False),
    Column("root_hash", String(64), nullable=False),
    Column("key_id", String(128), nullable=False),
    Column("signed_at", UtcDateTime, nullable=False),
)

#: The registry that the ledger is, in one row: its id and the stores that belong to it. A store is
#: null until the registry has used it for the first time.
registry_identity = Table(
    "registry_identity",
    metadata,
    Column("singleton", Integer, primary_key=True, autoincrement=False),
    Column("registry_id", String(36), nullable=False),
    Column("artifact_root", Text),
    # The host that first used the root: a folder of the same name on another host is another one.
    Column("artifact_host", Text),
    # Without its password, for errors: MLflow is recognized by the id that it holds.
    Column("tracking_uri", Text),
    Column("former_roots", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint("singleton = 1", name="one_identity"),
)

#: The newest entry of each model that the artifact store and MLflow know the hash of.
anchored_heads = Table(
    "anchored_heads",
    metadata,
    *_of_model(),
    Column("epoch", BigInteger, nullable=False),
    Column("evidence_count", BigInteger, nullable=False, server_default=text("0")),
    Column("anchored_at", UtcDateTime, nullable=False),
)

#: Changes of a tenant's API keys: a chain, append-only; ``api_keys`` is its fold.
key_changes = Table(
    "key_changes",
    metadata,
    Column("tenant_id", TENANT, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("key", JSON, nullable=False),
    Column("previous_hash", String(71), nullable=False),
    Column("hash", String(71), nullable=False),
)
