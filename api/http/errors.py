"""Refusals of HTTP itself, which the core knows nothing of: too large, not JSON, no such method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import HTTPException


class HttpError(HTTPException):
    """A request that is answered before, or instead of, the core. ``code`` is stable."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(status, detail, headers=dict(headers) if headers else None)
        self.code = code
        self.details = details


def malformed_json(why: str) -> HttpError:
    return HttpError(400, "malformed_json", f"the body is not JSON as RFC 8259 has it: {why}")


def unsupported_media_type(*allowed: str) -> HttpError:
    return HttpError(
        415, "unsupported_media_type", f"send the body as {' or '.join(allowed)}", allowed=allowed
    )


def body_too_large(limit: int) -> HttpError:
    return HttpError(
        413,
        "body_too_large",
        f"the body may have at most {limit} bytes",
        headers={"Connection": "close"},
        limit=limit,
    )


def uri_too_long(limit: int) -> HttpError:
    return HttpError(
        414, "uri_too_long", f"the address may have at most {limit} bytes", limit=limit
    )


def too_slow(seconds: float) -> HttpError:
    return HttpError(
        504,
        "deadline_exceeded",
        f"no answer within {seconds:g} s; repeat the request with the same Idempotency-Key",
        headers={"Retry-After": "5"},
    )


def bad_page_token() -> HttpError:
    return HttpError(
        422,
        "invalid_page_token",
        "'after' must be the 'next' of an earlier answer to the same query",
        field="after",
    )


def no_tenant(who: str, what_to_do: str) -> HttpError:
    return HttpError(403, "no_tenant", f"{who} has no tenant here; {what_to_do}")


def missing_csrf_header() -> HttpError:
    return HttpError(
        403,
        "header_required",
        "a change with a cookie as its credential needs the header X-Requested-With, which other "
        "sites cannot send",
        field="X-Requested-With",
    )
