"""Canonical JSON and digests: the same value always gives the same bytes.

Keys sorted, no spaces, UTF-8, no NaN or infinity: the subset of RFC 8785 (JSON Canonicalization
Scheme) that Python's own number formatting provides.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from .errors import InvalidInput


def canonical_json(value: Any, *, field: str = "document") -> bytes:
    """Bytes of ``value`` as canonical JSON.

    Raises :class:`InvalidInput`, naming ``field``, when the value is not plain and finite JSON.
    """
    try:
        text = json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"{field} must be plain JSON with finite numbers: {error}", field=field
        ) from error


def digest(value: Any, *, field: str = "document") -> str:
    """SHA-256 of the canonical JSON of ``value``, as ``sha256:<hex>``."""
    return digest_bytes(canonical_json(value, field=field))


def digest_bytes(data: bytes) -> str:
    """SHA-256 of ``data``, as ``sha256:<hex>``."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
