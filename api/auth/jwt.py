"""Signed tokens of an identity provider: pinned issuer, audience and algorithms; keys by JWKS."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.request import Request as UrlRequest
from urllib.request import urlopen

import jwt
from jwt import PyJWK, PyJWKSet

from model_lifecycle.registry.domain import identifiers
from model_lifecycle.registry.domain.authorization import Principal, Role
from model_lifecycle.registry.domain.errors import BackendUnavailable, InvalidInput

from ..settings import ApiSettings
from ..shared_attempt import SharedAttempt
from .caller import Caller, NotAuthenticated

_INVALID = "the token is not valid here"
_LEEWAY = 30
_KEYS_LIVE = 600.0
#: Tokens may name any key id: unknown ones must not make us ask the provider all the time.
_REFETCH_AFTER = 30.0
#: Seconds for one fetch, from the first byte that is sent to the last that is received.
_PATIENCE = 4.0
#: Seconds for which a failed fetch answers for the next ones.
_AFTER_FAILURE = 1.0
_LARGEST_SET = 256 * 1024


class KeySet:
    """The provider's public keys, fetched when needed and kept for ten minutes.

    All requests that need keys at the same time share one fetch and its outcome.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str, PyJWK] = {}
        self._fetched = -_KEYS_LIVE
        self._fetched_at = -_REFETCH_AFTER
        self._fetching = SharedAttempt(self._fetch, pause=_AFTER_FAILURE)
        # One thread of its own: a provider that hangs must not use up those of other work.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jwks")

    async def key(self, key_id: str) -> PyJWK | None:
        """The key with this id; None if the provider has none. Raises BackendUnavailable within
        the time of one fetch if there has never been an answer."""
        now = time.monotonic()
        if key_id in self._keys and now < self._fetched + _KEYS_LIVE:
            return self._keys[key_id]
        if now >= self._fetched_at + _REFETCH_AFTER:
            await self._fetching.result()
        return self._keys.get(key_id)

    async def _fetch(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_PATIENCE):
                document = await loop.run_in_executor(self._thread, self._download)
            keys = PyJWKSet.from_dict(document).keys
        except (OSError, ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
            if not self._keys:
                raise BackendUnavailable("identity provider", type(error).__name__) from None
            # The keys that are known stay good while the provider is unavailable.
        else:
            self._keys = {key.key_id: key for key in keys if key.key_id}
            self._fetched = time.monotonic()
        self._fetched_at = time.monotonic()

    def _download(self) -> Any:
        if not self._url.startswith(("https://", "http://")):
            raise ValueError("not an HTTP address")
        request = UrlRequest(self._url, headers={"Accept": "application/json"})  # noqa: S310
        with urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310 - checked above
            return json.loads(answer.read(_LARGEST_SET))


class JwtVerifier:
    """From a token to its caller, by the claims that the settings name."""

    def __init__(self, api: ApiSettings) -> None:
        self._api = api
        self._keys = KeySet(api.jwt_jwks_url)

    async def caller(self, token: str) -> Caller:
        """Raises NotAuthenticated for a token that is not valid in every respect, or whose claims
        name no tenant; BackendUnavailable while the provider's keys cannot be had."""
        claims = await self._claims(token)
        try:
            tenant = identifiers.tenant_id(claims.get(self._api.jwt_tenant_claim))
            principal = Principal(f"jwt:{claims['sub']}", self._roles(claims))
        except InvalidInput:
            raise NotAuthenticated(_INVALID) from None
        return Caller(tenant, principal)

    async def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            key_id, algorithm = header.get("kid"), header.get("alg")
            if algorithm not in self._api.jwt_algorithms or not isinstance(key_id, str):
                raise NotAuthenticated(_INVALID)
            key = await self._keys.key(key_id)
            if key is None:
                raise NotAuthenticated(_INVALID)
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                issuer=self._api.jwt_issuer,
                audience=self._api.jwt_audience,
                leeway=_LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            raise NotAuthenticated(_INVALID) from None
        return claims

    def _roles(self, claims: Mapping[str, Any]) -> frozenset[Role]:
        """Our roles among those of the claim; a provider has others for other programs."""
        claimed = claims.get(self._api.jwt_roles_claim, ())
        names = claimed.split() if isinstance(claimed, str) else claimed
        if not isinstance(names, list | tuple):
            return frozenset()
        return frozenset(role for role in Role if role.value in names)
