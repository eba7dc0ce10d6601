"""Brings the ledger's tables to this version of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from ..domain.errors import InvalidInput
from .engine import maintenance_engine, open_engine, reading, writing

if TYPE_CHECKING:
    from alembic.config import Config

#: The newest migration. Known here so that opening a ledger does not have to load Alembic.
HEAD = "0006"
_VERSION_TABLE = "ledger_version"
#: Any constant number will do: it names the lock that two upgrades at once wait on.
_UPGRADE_LOCK = 7_110_451


async def prepare(engine: AsyncEngine) -> None:
    """Make the ledger usable: an embedded one is upgraded, one in service has to be already."""
    revision = await _revision(engine)
    if revision == HEAD:
        return
    if engine.dialect.name == "sqlite" and (revision is None or revision < HEAD):
        await _upgrade(engine)
        return
    state = "has no tables yet" if revision is None else f"is at migration {revision}, not {HEAD}"
    raise InvalidInput(
        f"the ledger {state}; run `model-lifecycle db upgrade` with a matching version of "
        "airflow-provider-model-lifecycle",
        field="database_url",
    )


async def upgrade(url: str) -> str:
    """Upgrade the ledger at ``url``; returns its migration. Two upgrades at once are safe."""
    engine = open_engine(url)
    try:
        await _upgrade(engine)
    finally:
        await engine.dispose()
    return HEAD


async def _revision(engine: AsyncEngine) -> str | None:
    async with reading(engine) as connection:
        if not await connection.run_sync(lambda sync: inspect(sync).has_table(_VERSION_TABLE)):
            return None
        revision: str | None = await connection.scalar(
            text(f"SELECT version_num FROM {_VERSION_TABLE}")  # noqa: S608 - a constant
        )
        return revision


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
