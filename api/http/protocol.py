"""uvicorn's HTTP protocol with limits that begin before the application does.

uvicorn gives a request to the application once its headers are complete. What is sent before that,
or after the answer, is bounded here: the size of headers, the time for them, the time for a body
that nobody reads any more, and the number of open connections. uvicorn takes a protocol class by
name (``--http``); this one is ``model_lifecycle.api.http.protocol:LimitedProtocol``.
"""

from __future__ import annotations

import asyncio
from functools import cache
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..settings import ApiSettings

#: Seconds in which the rest of a body must arrive once its request has been answered.
_AFTER_ANSWER = 5.0


@cache
def _settings() -> ApiSettings:
    """The settings of this process, read at its first connection."""
    return ApiSettings()


class LimitedProtocol(HttpToolsProtocol):
    """One connection. A request that exceeds a limit gets 431, 408 or 503 in plain text, and its
    connection is closed."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        self._limits = _settings()
        self._in_headers = True
        self._closed = False
        #: Bytes of this request that are no body: headers, trailers, the framing of chunks.
        self._overhead = 0
        self._body_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        if len(self.connections) > self._limits.max_connections:
            self._refuse(503, f"more than {self._limits.max_connections} connections are open")
        else:
            self._start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._closed:
            return
        if self._in_headers and self._timer is None:
            self._start_header_timer()
        self._overhead += len(data)
        super().data_received(data)
        if self._overhead > self._limits.max_header + self._body_bytes:
            self._refuse(431, f"headers may have at most {self._limits.max_header} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer is no header: it would reach an application that has already begun.
        if self._in_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self._limits.max_header:
            self._refuse(431, f"headers may have at most {self._limits.max_header} bytes")
        if self._closed:
            return
        self._in_headers = False
        self._overhead = 0
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._closed:
            return
        self._body_bytes += len(body)
        self._overhead -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._closed:
            return
        self._in_headers = True
        self._overhead = self._body_bytes = 0
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._in_headers and not self.pipeline and not self._closed:
            self._start_timer(_AFTER_ANSWER, self.transport.close)

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: an upgrade request is answered as a plain request."""

    def _start_header_timer(self) -> None:
        seconds = self._limits.header_timeout
        self._start_timer(
            seconds, lambda: self._refuse(408, f"no complete headers within {seconds:g} s")
        )

    def _start_timer(self, seconds: float, then: Any) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, then)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: int, reason: str) -> None:
        """Close the connection; with an answer, if no other one is on its way."""
        if self._closed:
            return
        self._closed = True
        self._stop_timer()
        if self.cycle is None or self.cycle.response_complete:
            self.logger.warning("connection closed: %s", reason)
            text = f"{reason}\n".encode()
            self.transport.write(
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
                "content-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
                f"content-length: {len(text)}\r\n\r\n".encode()
                + text
            )
        self.transport.close()
