"""Brings the ledger's tables to this version of the package."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from ..domain.errors import InvalidInput, SchemaMismatch
from . import tables
from .engine import maintenance_engine, open_engine, reading, writing

if TYPE_CHECKING:
    from alembic.config import Config

log = logging.getLogger(__name__)

#: The newest migration. Known here so that opening a ledger does not have to load Alembic.
HEAD = "0007"
#: The oldest migration whose programs can read and write the tables of ``HEAD``. A migration that
#: they cannot work with raises it here, and in the table ``compatibility``.
OLDEST_WRITER = "0003"
_VERSION_TABLE = "ledger_version"
#: Any constant number will do: it names the lock that two upgrades at once wait on.
_UPGRADE_LOCK = 7_110_451


async def prepare(engine: AsyncEngine) -> None:
    """Make the ledger usable: an embedded one is upgraded, one in service has to be already.

    A ledger that a newer program upgraded is usable as long as this one may write to it. Raises
    :class:`SchemaMismatch` where one of them has to be upgraded, :class:`InvalidInput` for a
    ledger in service without tables.
    """
    revision, oldest_writer = await _revision(engine)
    if revision == HEAD:
        return
    if revision is not None and revision > HEAD:
        check_writer(oldest_writer or revision, ledger=revision)
        log.info("the ledger is at migration %s, this program at %s; both work", revision, HEAD)
        return
    if engine.dialect.name == "sqlite":
        await _upgrade(engine)
        return
    if revision is None:
        raise InvalidInput(
            "the ledger has no tables yet; run `model-lifecycle db upgrade`", field="database_url"
        )
    raise SchemaMismatch(
        f"it is at migration {revision}, and this program needs {HEAD}; run `model-lifecycle db "
        "upgrade`, and repeat the call",
        program=HEAD,
        ledger=revision,
    )


def check_writer(oldest_writer: str, *, ledger: str | None = None) -> None:
    """Raise :class:`SchemaMismatch` if this program may not write to a ledger whose oldest writer
    is this."""
    if oldest_writer <= HEAD:
        return
    raise SchemaMismatch(
        f"it was upgraded for programs at migration {oldest_writer} and later, and this program is "
        f"at {HEAD}; nothing was changed. Restart this process with the newer version of "
        "airflow-provider-model-lifecycle, and repeat the call",
        program=HEAD,
        ledger=ledger,
    )


async def upgrade(url: str) -> str:
    """Upgrade the ledger at ``url``; returns its migration. Two upgrades at once are safe."""
    engine = open_engine(url)
    try:
        await _upgrade(engine)
    finally:
        await engine.dispose()
    return HEAD


async def _revision(engine: AsyncEngine) -> tuple[str | None, str | None]:
    """The ledger's migration, and its oldest writer; None where it does not say."""

    def has_tables(connection: Any) -> list[bool]:
        inspector = inspect(connection)
        return [inspector.has_table(name) for name in (_VERSION_TABLE, tables.compatibility.name)]

    async with reading(engine) as connection:
        is_versioned, has_compatibility = await connection.run_sync(has_tables)
        if not is_versioned:
            return None, None
        revision: str | None = await connection.scalar(
            text(f"SELECT version_num FROM {_VERSION_TABLE}")  # noqa: S608 - a constant
        )
        if not has_compatibility:
            return revision, None
        return revision, await connection.scalar(select(tables.compatibility.c.oldest_writer))


async def _upgrade(engine: AsyncEngine) -> None:
    """Run what is missing, in a transaction that takes as long as it takes; of several upgrades at
    once the later ones wait, and find nothing left to do."""
    patient = maintenance_engine(engine)
    try:
        async with writing(patient or engine, "the ledger's tables") as connection:
            if engine.dialect.name == "postgresql":
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))
            await connection.run_sync(_run_migrations)
    finally:
        if patient is not None:
            await patient.dispose()


def _run_migrations(connection: Any) -> None:
    from alembic import command

    command.upgrade(alembic_config(connection), "head")


def alembic_config(connection: Any = None) -> Config:
    """Alembic's configuration for the ledger, bound to ``connection``."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "model_lifecycle.registry.ledger:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["version_table"] = _VERSION_TABLE
    return config
