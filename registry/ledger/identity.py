"""The registry's identity: its id, and which stores belong to the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from .engine import autocommit, read, writing
from .tables import registry_identity


@dataclass(frozen=True)
class RegistryIdentity:
    """The registry that a ledger is. ``artifact_root`` and ``tracking_uri`` are None until the
    registry has used such a store; ``artifact_host`` is the host that used the root first.
    ``former_roots`` are those that the registry was moved away from."""

    registry_id: str
    artifact_root: str | None
    artifact_host: str | None
    tracking_uri: str | None
    former_roots: tuple[str, ...] = ()


class IdentityRecord:
    """The identity as the ledger's database keeps it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def load(self) -> RegistryIdentity:
        """The identity as it is recorded now. Raises :class:`BackendUnavailable`."""
        rows = await read(autocommit(self._engine), select(registry_identity))
        return _identity(rows[0])

    async def bind_artifacts(self, root: str, host: str) -> RegistryIdentity:
        """Record the artifact root unless one is recorded; the identity after it."""
        async with writing(self._engine, "the registry's identity") as connection:
            await connection.execute(
                update(registry_identity)
                .where(registry_identity.c.artifact_root.is_(None))
                .values(artifact_root=root, artifact_host=host)
            )
        return await self.load()

    async def bind_mlflow(self, tracking_uri: str) -> RegistryIdentity:
        """Record MLflow unless one is recorded; the identity after it. ``tracking_uri`` is without
        its password."""
        async with writing(self._engine, "the registry's identity") as connection:
            await connection.execute(
                update(registry_identity)
                .where(registry_identity.c.tracking_uri.is_(None))
                .values(tracking_uri=tracking_uri)
            )
        return await self.load()

    async def move(self, root: str, host: str, tracking_uri: str) -> RegistryIdentity:
        """Record other stores than before; the identity after it."""
        before = await self.load()
        former = [*before.former_roots]
        if before.artifact_root not in (None, root, *former):
            former.append(str(before.artifact_root))
        async with writing(self._engine, "the registry's identity") as connection:
            await connection.execute(
                update(registry_identity).values(
                    artifact_root=root,
                    artifact_host=host,
                    tracking_uri=tracking_uri,
                    former_roots=[item for item in former if item != root],
                )
            )
        return await self.load()


def _identity(row: Mapping[str, Any]) -> RegistryIdentity:
    return RegistryIdentity(
        registry_id=row["registry_id"],
        artifact_root=row["artifact_root"],
        artifact_host=row["artifact_host"],
        tracking_uri=row["tracking_uri"],
        former_roots=tuple(row["former_roots"]),
    )
