"""Page tokens: where a list goes on, bound to the tenant and the query that it belongs to."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import bad_page_token

#: What a list is ordered by: a name, a number, or an instant (ISO 8601) with an id.
Position = str | int | list[str | None]

_TAG_BYTES = 16
_LONGEST = 2000


class PageTokens:
    """Makes and reads tokens. One that was made by hand, for another tenant or another query, is
    refused: it is signed with HMAC-SHA256 over all three."""

    def __init__(self, secret: str = "") -> None:
        key = secret.encode() or secrets.token_bytes(32)
        self._key = hmac.digest(key, b"model-lifecycle page tokens", "sha256")

    def token(self, tenant_id: str, query: Mapping[str, Any], position: Position) -> str:
        """The token that continues ``query`` after ``position``."""
        place = json.dumps(position).encode()
        return base64.urlsafe_b64encode(self._tag(tenant_id, query, place) + place).decode()

    def position(
        self, tenant_id: str, query: Mapping[str, Any], token: str | None
    ) -> Position | None:
        """The position in the token; None without a token. Raises HttpError."""
        if token is None:
            return None
        try:
            if not token.isascii() or len(token) > _LONGEST:
                raise bad_page_token()
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise bad_page_token() from None
        tag, place = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(tenant_id, query, place)):
            raise bad_page_token()
        position: Position = json.loads(place)
        return position

    def page(
        self,
        tenant_id: str,
        query: Mapping[str, Any],
        rows: Sequence[tuple[Position, Any]],
        limit: int,
    ) -> dict[str, Any]:
        """The first ``limit`` of ``found``, which are positions and documents, and the token of
        the next page if there are more."""
        visible = rows[:limit]
        more = len(rows) > limit
        return {
            "items": [item for _, item in visible],
            "next": self.token(tenant_id, query, visible[-1][0]) if more else None,
        }

    def _tag(self, tenant_id: str, query: Mapping[str, Any], place: bytes) -> bytes:
        bound = json.dumps([tenant_id, dict(query)], sort_keys=True).encode()
        return hmac.digest(self._key, hashlib.sha256(bound).digest() + place, "sha256")[:_TAG_BYTES]
