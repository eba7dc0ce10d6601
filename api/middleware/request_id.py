"""Each request has an id: the caller's, where it may stand in a log, or a new one."""

from __future__ import annotations

import re
import secrets

from asgi_correlation_id import CorrelationIdMiddleware
from starlette.types import ASGIApp

_HEADER = "X-Request-ID"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class RequestIdMiddleware(CorrelationIdMiddleware):
    """Sets ``asgi_correlation_id.correlation_id``, which log records and problem documents name,
    and answers with the id in ``X-Request-ID``."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            app,
            header_name=_HEADER,
            update_request_header=False,
            generator=_new_id,
            # An id that is not valid is replaced. A validator would log a warning for each, which
            # any caller could fill the log with.
            validator=None,
            transformer=_valid_or_new,
        )


def _new_id() -> str:
    return secrets.token_hex(16)


def _valid_or_new(text: str) -> str:
    return text if _REQUEST_ID.fullmatch(text) else _new_id()
