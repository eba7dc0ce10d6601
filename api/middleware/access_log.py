"""Each request gets an id, one line in the log, and its place in the metrics."""

from __future__ import annotations

import logging
import time
from typing import Any

from asgi_correlation_id import correlation_id
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..http.problem_details import log_failure, problem
from ..metrics import Metrics

_log = logging.getLogger("model_lifecycle.api.access")


class AccessLogMiddleware:
    """The outermost layer: whatever goes wrong further in leaves here as a problem document.

    The log line holds the route, not the address, and no header: nothing secret can be in it.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            # There is nothing here to talk to: closed before it is accepted, which is 403.
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (b"x-content-type-options", b"nosniff")]
                message = {**message, "headers": headers}
            await send(message)

        started = time.perf_counter()
        self._metrics.begin()
        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            if status:
                log_failure(request, error)
                raise
            await problem(request, error)(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - started
            self._record(request, status or 499, seconds)

    def _record(self, request: Request, status: int, seconds: float) -> None:
        route = getattr(request.scope.get("route"), "path", "unmatched")
        method = request.method if request.method in _METHODS else "other"
        self._metrics.end(method, route, status, seconds)
        if not _log.isEnabledFor(logging.INFO):
            return
        caller = getattr(request.state, "caller", None)
        line: dict[str, Any] = {
            "request_id": correlation_id.get(),
            "method": method,
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
            "tenant": caller.tenant_id if caller else None,
            "principal": caller.principal.name if caller else None,
        }
        _log.info("%s %s %s", method, route, status, extra={"document": line})


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
