"""API keys: who may call the HTTP API, as which tenant, with which roles, until when.

A key is shown once, when it is made: ``mlk_<id>_<secret>``. The ledger's database keeps the id and
the SHA-256 of the whole; 256 random bits need no slow hash. Revoked keys stay as a record. Every
change is an entry of the tenant's chain, with actor and time inside what is hashed.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ..attestation.hash_chain import GENESIS
from ..domain import identifiers
from ..domain.authorization import Role, parse_roles
from ..domain.canonical_json import digest, digest_bytes
from ..domain.errors import InvalidInput, LedgerCorrupt, NotFound
from ..domain.models import timestamp
from . import migrate
from .clock import utc_now
from .engine import open_engine, reading, writing
from .tables import api_keys, key_changes

_KEY = re.compile(r"mlk_([0-9a-f]{16})_[A-Za-z0-9_-]{43}", re.ASCII)
_KEY_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
_NAME = re.compile(r"[\w.@ -]{1,128}", re.ASCII)
#: The kinds of changes in the chain.
CREATED, REVOKED = "created", "revoked"
#: The columns of a change that its hash covers, in the order of ``change_values``.
_CHAINED = ("tenant_id", "sequence", "kind", "at", "actor", "key", "previous_hash")
#: Any constant number will do: it names the locks on the chains.
_CHAIN_LOCK = 7_110_453
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
        row = {
            "key_id": key_id,
            "tenant_id": tenant,
            "name": name,
            "roles": sorted(role.value for role in parsed),
            "secret_hash": digest_bytes(key.encode()),
            "created_at": now,
            "created_by": created_by,
            "expires_at": made.expires_at,
        }
        async with writing(self._engine, f"the API keys of {tenant!r}") as connection:
            await connection.execute(insert(api_keys).values(**row))
            await _append(connection, tenant, CREATED, now, created_by, created_document(row))
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

    async def revoke(self, tenant_id: str, key_id: str, *, revoked_by: str) -> ApiKey:
        """Take the key out of use for good; again changes nothing. Raises NotFound."""
        tenant = identifiers.tenant_id(tenant_id)
        if not _KEY_ID.fullmatch(key_id):
            raise NotFound(key_id[:40])
        own = (api_keys.c.key_id == key_id) & (api_keys.c.tenant_id == tenant)
        now = self.clock()
        async with writing(self._engine, f"the API keys of {tenant!r}") as connection:
            revoked = await connection.execute(
                update(api_keys).where(own, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
            )
            if revoked.rowcount:
                change = revoked_document(key_id, now)
                await _append(connection, tenant, REVOKED, now, revoked_by, change)
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

    async def tenants(self) -> tuple[str, ...]:
        """The tenants that have keys, or had one."""
        async with reading(self._engine) as connection:
            names = union(select(api_keys.c.tenant_id), select(key_changes.c.tenant_id))
            return tuple(sorted((await connection.scalars(names)).all()))

    async def verify_chain(self, tenant_id: str) -> int:
        """Number of recorded changes of the tenant's keys.

        Raises :class:`LedgerCorrupt` naming the first change that was edited or removed, or a key
        that is not as the changes left it.
        """
        tenant = identifiers.tenant_id(tenant_id)
        keys: dict[str, dict[str, Any]] = {}
        head, count, name = GENESIS, 0, f"the API keys of {tenant}"
        async with reading(self._engine) as connection:
            changes = await connection.execute(
                select(key_changes)
                .where(key_changes.c.tenant_id == tenant)
                .order_by(key_changes.c.sequence)
            )
            for row in changes.mappings():
                count += 1
                if row["sequence"] != count or row["previous_hash"] != head:
                    raise LedgerCorrupt(name, count, "is missing")
                if dict(row) != change_values(*(row[column] for column in _CHAINED)):
                    raise LedgerCorrupt(name, count, "was edited")
                head = row["hash"]
                keys.setdefault(row["key"]["key_id"], {"revoked_at": None}).update(row["key"])
            rows = await connection.execute(select(api_keys).where(api_keys.c.tenant_id == tenant))
            stored = {
                row["key_id"]: created_document(dict(row))
                | revoked_document(row["key_id"], row["revoked_at"])
                for row in rows.mappings()
            }
        for key_id in sorted({*keys, *stored}):
            if keys.get(key_id) != stored.get(key_id):
                raise LedgerCorrupt(
                    name, count, f"left key {key_id} otherwise than the table of keys has it"
                )
        return count


def created_document(row: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a new key, from its row: also the hash of its secret, which nobody can turn
    back into the key."""
    return {
        "key_id": row["key_id"],
        "tenant_id": row["tenant_id"],
        "name": row["name"],
        "roles": list(row["roles"]),
        "secret_hash": row["secret_hash"],
        "created_at": timestamp(row["created_at"]),
        "created_by": row["created_by"],
        "expires_at": timestamp(row["expires_at"]),
    }


def revoked_document(key_id: str, at: datetime | None) -> dict[str, Any]:
    """The record of a key's end."""
    return {"key_id": key_id, "revoked_at": None if at is None else timestamp(at)}


def change_values(
    tenant: str,
    sequence: int,
    kind: str,
    at: datetime,
    actor: str,
    key: Mapping[str, Any],
    previous_hash: str,
) -> dict[str, Any]:
    """The row of one change, its hash included."""
    values = {
        "tenant_id": tenant,
        "sequence": sequence,
        "kind": kind,
        "at": at,
        "actor": actor,
        "key": dict(key),
        "previous_hash": previous_hash,
    }
    return {**values, "hash": digest({**values, "at": timestamp(at)}, field="key change")}


async def _append(
    connection: AsyncConnection,
    tenant: str,
    kind: str,
    at: datetime,
    actor: str,
    key: Mapping[str, Any],
) -> None:
    """Append a change to the tenant's chain; two writers at once take turns."""
    if connection.dialect.name == "postgresql":
        lock = func.pg_advisory_xact_lock(_CHAIN_LOCK, func.hashtext(tenant))
        await connection.execute(select(lock))
    last = await connection.execute(
        select(key_changes.c.sequence, key_changes.c.hash)
        .where(key_changes.c.tenant_id == tenant)
        .order_by(key_changes.c.sequence.desc())
        .limit(1)
    )
    sequence, head = last.first() or (0, GENESIS)
    values = change_values(tenant, sequence + 1, kind, at, actor, key, head)
    await connection.execute(insert(key_changes), values)


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
