"""Runs migrations on the connection that ``migrating`` opened, within its transaction."""

from __future__ import annotations

from alembic import context

from model_lifecycle.registry.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=context.config.attributes["version_table"],
    # SQLite cannot alter most things in place.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
