"""Limits on the size and the duration of a request."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..http.errors import HttpError, body_too_large, too_slow, uri_too_long
from ..http.problem_details import problem
from ..settings import ApiSettings

#: Room for 500 run ids to compare.
MAX_URI = 32 * 1024
#: How much of a refused body is read before the answer, so that a client that sends first and
#: reads afterwards gets to see it.
_MAX_DRAIN_BYTES = 32 * 1024 * 1024


class Deadline:
    """Ends what takes too long with 504: authentication and opening the registry included.

    Work that is cut off leaves nothing half-done that a repetition with the same
    Idempotency-Key would not finish: that is the core's promise.
    """

    def __init__(self, app: ASGIApp, api: ApiSettings) -> None:
        self._app = app
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        seconds = self._api.upload_deadline if _moves_files(request) else self._api.deadline
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(seconds) as deadline:
                await self._app(scope, receive, sending)
        except TimeoutError:
            if started or not deadline.expired():
                raise
            await problem(request, too_slow(seconds))(scope, receive, send)


class RequestLimitsMiddleware:
    """Refuses long addresses and large bodies, declared or not."""

    def __init__(self, app: ASGIApp, api: ApiSettings) -> None:
        self._app = app
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        uploads = request.headers.get("content-type", "").startswith("multipart/form-data")
        limit = self._api.max_upload if uploads else self._api.max_body
        refusal = self._refusal(request, limit)
        if refusal is None:
            await self._app(scope, _counted(receive, limit), send)
        else:
            await _read_away(receive)
            await problem(request, refusal)(scope, receive, send)

    def _refusal(self, request: Request, limit: int) -> HttpError | None:
        scope = request.scope
        if len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"") > MAX_URI:
            return uri_too_long(MAX_URI)
        declared = request.headers.get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
            return body_too_large(limit)
        return None


def _moves_files(request: Request) -> bool:
    """Whether this registers something: a model's files take their time, wherever they are."""
    return request.method == "POST" and request.url.path.endswith(("/models", "/versions"))


def _counted(receive: Receive, limit: int) -> Receive:
    """``receive``, which raises a HttpError once the body is larger than ``limit``."""
    received = 0

    async def receiving() -> Message:
        nonlocal received
        message = await receive()
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            if received > limit:
                raise body_too_large(limit)
        return message

    return receiving


async def _read_away(receive: Receive) -> None:
    read = 0
    while read < _MAX_DRAIN_BYTES:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body"):
            return
        read += len(message.get("body", b""))
