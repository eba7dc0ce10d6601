"""Tasks of a ledger's operators beside the registry: bring its tables up to date, manage API keys.

The public face of the ledger for the command line and the HTTP API; importing it opens nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .ledger.api_keys import ApiKey, ApiKeys
from .ledger.engine import database_url

if TYPE_CHECKING:
    from .ledger.identity import RegistryIdentity
    from .settings import Settings

__all__ = ["ApiKey", "ApiKeys", "ledger_file", "move_registry", "upgrade_ledger"]


async def upgrade_ledger(url: str) -> str:
    """Bring the tables of the ledger at ``url`` to this version of the program, and create them
    where there are none; the migration that the ledger is at. Two upgrades at once are safe.

    Raises :class:`InvalidInput` for an address of another form, and OSError where an embedded
    ledger's file cannot be created.
    """
    from .ledger.migrate import upgrade

    return await upgrade(url)


async def move_registry(settings: Settings) -> RegistryIdentity:
    """Bind the ledger at ``settings`` to the artifact root and the MLflow of ``settings``, instead
    of those it had; the registry's identity after it. For administrators.

    The files are moved before, by other means. Raises :class:`InvalidInput` where the files of a
    production version are not at the new root, or the root is another registry's.
    """
    from .factory import open_backends
    from .services.store_identity import StoreIdentity

    async with open_backends(settings) as backends:
        return await StoreIdentity(backends).move()


def ledger_file(url: str) -> Path | None:
    """The file of an embedded ledger at ``url``; None for a ledger in service or in memory. Raises
    :class:`InvalidInput` for an address of another form."""
    address = database_url(url)
    file = address.database
    if address.get_backend_name() != "sqlite" or not file or file.startswith(":"):
        return None
    return Path(file)
