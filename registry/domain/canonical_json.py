"""Canonical JSON and digests: the same value always gives the same bytes.

The form is RFC 8785 (JSON Canonicalization Scheme), so that another program, in another language,
computes the same digests. Only what survives being stored as JSON and read again is accepted:
otherwise an honest ledger would look edited.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from typing import Any

import rfc8785

from .errors import InvalidInput

#: Beyond it, JSON numbers (IEEE 754 doubles) no longer tell neighbouring integers apart.
_LARGEST_INTEGER = 2**53 - 1
_CONTAINERS = (dict, list, tuple)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def canonical_json(value: Any, *, field: str = "document") -> bytes:
    """Bytes of ``value`` in the form of RFC 8785.

    Raises :class:`InvalidInput`, naming ``field`` and the part of it that is wrong, when the value
    is not plain JSON: keys that are not text, NaN, infinity, integers that a double cannot hold,
    half of a surrogate pair, or objects of other types.
    """
    try:
        if _is_simple(value):
            return _ENCODER.encode(value).encode()
    except (UnicodeEncodeError, RecursionError):
        pass  # The complete check names the part that is wrong.
    try:
        return rfc8785.dumps(_checked(value, field))
    except _NotPlain as error:
        raise InvalidInput(f"{field} must be plain JSON: {error}", field=field) from None
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


def _is_simple(value: Any) -> bool:
    """Whether the standard library's encoder writes ``value`` in the form of RFC 8785: no number
    with a fraction, no large integer, and keys whose order is the same in UTF-16 as in Unicode.
    That is all that most entries of a ledger hold, and the encoder is many times faster."""
    kind = type(value)
    if kind is dict:
        for key in value:
            if type(key) is not str or not key.isascii():
                return False
        return _are_simple(value.values())
    if kind is list or kind is tuple:
        return _are_simple(value)
    return _are_simple((value,))


def _are_simple(values: Iterable[Any]) -> bool:
    for value in values:
        kind = type(value)
        if kind is str or value is None or kind is bool:
            continue
        if kind is int:
            simple = -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER
        else:
            simple = kind in _CONTAINERS and (not value or _is_simple(value))
        if not simple:
            return False
    return True


class _NotPlain(Exception):
    """A part of the value that JSON would read back as something else."""


def _checked(value: Any, path: str) -> Any:
    """``value`` as the library accepts it. ``path`` names it in errors."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise _NotPlain(
                    f"{path} has the key {key!r:.80} of type {type(key).__name__}; "
                    f"keys are text: write {str(key)!r:.80}"
                )
            # Sorting the keys would fail in words that do not name the key.
            _check_text(key, f"a key of {path}")
        return {key: _checked(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_checked(item, f"{path}[{place}]") for place, item in enumerate(value)]
    if isinstance(value, str):
        _check_text(value, path)
    if isinstance(value, float) and not math.isfinite(value):
        raise _NotPlain(f"{path} is {value}, and numbers must be finite")
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        return _large_integer(int(value), path)
    return value


def _check_text(value: str, path: str) -> None:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _NotPlain(
                f"{path} is {value!r:.80}, which UTF-8 cannot hold: half of a surrogate pair"
            ) from None


def _large_integer(value: int, path: str) -> float:
    """The double that the canonical form writes in these very digits: 1e20 is written as
    ``100000000000000000000``, which Python reads as an integer."""
    try:
        double = float(value)
    except OverflowError:
        double = 0.0
    if double == 0.0 or rfc8785.dumps(double) != str(value).encode():
        raise _NotPlain(
            f"{path} is {value!s:.80}, an integer beyond 2^53 - 1, which JSON numbers cannot "
            "hold exactly; write it as text"
        )
    return double
