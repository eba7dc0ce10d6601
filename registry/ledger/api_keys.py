"""API keys: who may call the HTTP API, as which tenant, with which roles, until when.

A key is shown once, when it is made: ``mlk_<id>_<secret>``. The ledger's database keeps the id and
the SHA-256 of the whole; 256 random bits need no slow hash. Revoked keys stay as a record.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from ..domain import identifiers
from ..domain.authorization import Role, parse_roles
from ..domain.canonical_json import digest_bytes
from ..domain.errors import InvalidInput, NotFound
from ..domain.models import timestamp
from . import migrate
from .clock import utc_now
from .engine import open_engine, reading, writing
from .tables import api_keys

_KEY = re.compile(r"mlk_([0-9a-f]{16})_[A-Za-z0-9_-]{43}", re.ASCII)
_KEY_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
_NAME = re.compile(r"[\w.@ -]{1,128}", re.ASCII)
MAX_LIFE = timedelta(days=3650)


@dataclass(frozen=True)
class ApiKey:
    """The record of a key, never the key itself."""

    key_id: str
    tenant_id: str
    name: str
    roles: frozenset[Role]
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None

    def valid(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at

    def document(self) -> dict[str, Any]:
        return {
            "key_id": self.key_id,
            "tenant_id": self.tenant_id,
            "name": self.name,
            "roles": sorted(role.value for role in self.roles),
            "created_at": timestamp(self.created_at),
            "created_by": self.created_by,
            "expires_at": timestamp(self.expires_at),
            "revoked_at": timestamp(self.revoked_at) if self.revoked_at else None,
        }


class ApiKeys:
    """The keys of every tenant. ``open`` and ``close`` belong together."""

    def __init__(self, engine: AsyncEngine, clock: Callable[[], datetime] = utc_now) -> None:
        self._engine = engine
        self.clock = clock

    @classmethod
    async def open(cls, url: str, clock: Callable[[], datetime] = utc_now) -> ApiKeys:
        """The keys in the ledger's database at ``url``; raises what opening the ledger raises."""
        engine = open_engine(url)
        try:
            await migrate.prepare(engine)
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine, clock)

    async def close(self) -> None:
        await self._engine.dispose()

    async def ping(self) -> None:
        """Return if the database answers. Raises BackendUnavailable."""
        async with reading(self._engine) as connection:
            await connection.scalar(select(1))

    async def create(
        self,
        tenant_id: str,
        name: str,
        roles: Iterable[str],
        *,
        life: timedelta,
        created_by: str,
    ) -> tuple[str, ApiKey]:
        """A new key, which nobody can read again, and what is kept of it.

        Raises InvalidInput for a malformed name, no roles, or a life beyond ten years.
        """
        tenant = identifiers.tenant_id(tenant_id)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidInput(
                "a key's name is 1 to 128 letters, digits, spaces, '.', '_', '@' and '-'",
                field="name",
            )
        parsed = parse_roles(roles)
        if not parsed:
            raise InvalidInput("a key needs at least one role", field="roles")
        if not timedelta(0) < life <= MAX_LIFE:
            raise InvalidInput("a key lives longer than 0 and at most 3650 days", field="life")
        key_id = secrets.token_hex(8)
        key = f"mlk_{key_id}_{secrets.token_urlsafe(32)}"
        now = self.clock()
        made = ApiKey(key_id, tenant, name, parsed, now, created_by, now + life, None)
        async with writing(self._engine) as connection:
            await connection.execute(
                insert(api_keys).values(
                    key_id=key_id,
                    tenant_id=tenant,
                    name=name,
                    roles=sorted(role.value for role in parsed),
                    secret_hash=digest_bytes(key.encode()),
                    created_at=now,
                    created_by=created_by,
                    expires_at=made.expires_at,
                )
            )
        return key, made

    async def verify(self, key: str) -> ApiKey | None:
        """Whose key this is; None for one that is malformed, unknown, expired or revoked."""
        parsed = _KEY.fullmatch(key)
        if parsed is None:
            return None
        async with reading(self._engine) as connection:
            rows = await connection.execute(select(api_keys).where(api_keys.c.key_id == parsed[1]))
            row = rows.mappings().first()
        if row is None or not hmac.compare_digest(row["secret_hash"], digest_bytes(key.encode())):
            return None
        known = _api_key(dict(row))
        return known if known.valid(self.clock()) else None

    async def revoke(self, tenant_id: str, key_id: str) -> ApiKey:
        """Take the key out of use for good; again changes nothing. Raises NotFound."""
        tenant = identifiers.tenant_id(tenant_id)
        if not _KEY_ID.fullmatch(key_id):
            raise NotFound(key_id[:40])
        own = (api_keys.c.key_id == key_id) & (api_keys.c.tenant_id == tenant)
        async with writing(self._engine) as connection:
            await connection.execute(
                update(api_keys)
                .where(own, api_keys.c.revoked_at.is_(None))
                .values(revoked_at=self.clock())
            )
            rows = await connection.execute(select(api_keys).where(own))
            row = rows.mappings().first()
        if row is None:
            raise NotFound(key_id)
        return _api_key(dict(row))

    async def list(self, tenant_id: str) -> list[ApiKey]:
        """The tenant's keys, oldest first, revoked and expired ones too."""
        tenant = identifiers.tenant_id(tenant_id)
        async with reading(self._engine) as connection:
            rows = await connection.execute(
                select(api_keys)
                .where(api_keys.c.tenant_id == tenant)
                .order_by(api_keys.c.created_at, api_keys.c.key_id)
            )
            return [_api_key(dict(row)) for row in rows.mappings()]


def _api_key(row: Mapping[str, Any]) -> ApiKey:
    return ApiKey(
        key_id=row["key_id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        roles=parse_roles(row["roles"]),
        created_at=row["created_at"],
        created_by=row["created_by"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )
