"""What operators of a ledger do beside the registry: bring its tables up to date, manage API keys.

The public face of the ledger for the command line and the HTTP API; importing it opens nothing.
"""

from __future__ import annotations

from pathlib import Path

from .ledger.api_keys import ApiKey, ApiKeys
from .ledger.engine import database_url

__all__ = ["ApiKey", "ApiKeys", "ledger_file", "upgrade_ledger"]


async def upgrade_ledger(url: str) -> str:
    """Bring the tables of the ledger at ``url`` to this version of the program, and create them
    where there are none; the migration that the ledger is at. Two upgrades at once are safe.

    Raises :class:`InvalidInput` for an address of another form, and OSError where an embedded
    ledger's file cannot be created.
    """
    from .ledger.migrate import upgrade

    return await upgrade(url)


def ledger_file(url: str) -> Path | None:
    """The file of an embedded ledger at ``url``; None for a ledger in service or in memory. Raises
    :class:`InvalidInput` for an address of another form."""
    address = database_url(url)
    file = address.database
    if address.get_backend_name() != "sqlite" or not file or file.startswith(":"):
        return None
    return Path(file)
