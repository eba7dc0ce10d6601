"""The API's own credentials: ``Authorization: Bearer`` with an API key or a signed token."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from hashlib import sha256

from fastapi import Request

from model_lifecycle.registry.administration import ApiKey, ApiKeys
from model_lifecycle.registry.domain.authorization import Principal

from .caller import Caller, NotAuthenticated
from .jwt import JwtVerifier

_ASK = "send Authorization: Bearer with an API key or a token that is valid"
_LONGEST = 8192
_MOST_CACHED = 10_000


class BearerCredentials:
    """Verifies what a request presents. Verified keys are remembered for a few seconds."""

    def __init__(
        self,
        keys: Callable[[], Awaitable[ApiKeys]],
        jwt: JwtVerifier | None,
        cache_seconds: float,
    ) -> None:
        self._keys = keys
        self._jwt = jwt
        self._cache_seconds = cache_seconds
        self._cached: dict[bytes, tuple[float, ApiKey]] = {}

    async def __call__(self, request: Request) -> Caller:
        """Raises NotAuthenticated, in the same words whatever is wrong; BackendUnavailable."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > _LONGEST:
            raise NotAuthenticated(_ASK)
        if token.startswith("mlk_"):
            return await self._from_key(token)
        if self._jwt is not None:
            return await self._jwt.caller(token)
        raise NotAuthenticated(_ASK)

    async def _from_key(self, token: str) -> Caller:
        keys = await self._keys()
        name = sha256(token.encode()).digest()
        until, key = self._cached.get(name, (0.0, None))
        if key is None or time.monotonic() >= until or not key.valid(keys.clock()):
            self._cached.pop(name, None)
            key = await keys.verify(token)
            if key is None:
                raise NotAuthenticated(_ASK)
            if len(self._cached) >= _MOST_CACHED:
                self._cached.clear()
            self._cached[name] = (time.monotonic() + self._cache_seconds, key)
        return Caller(key.tenant_id, Principal(f"key:{key.name} ({key.key_id})", key.roles))
