"""Requires a credential for every path behind it: routes, documents, unknown paths."""

from __future__ import annotations

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from model_lifecycle.registry.domain.errors import RegistryError

from ..auth.caller import NotAuthenticated
from ..http.errors import HttpError
from ..http.problem_details import problem

#: What a server of its own answers to anyone: probes, which tell nothing about any tenant.
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
#: The API's description, the same for everyone: a browser opens it before it has a credential.
DESCRIPTION = frozenset({"/", "/docs", "/docs/start.js", "/openapi.json"})
#: Files of the page that shows the description lie below this path.
ASSETS = "/docs/assets/"


class AuthenticationMiddleware:
    """Finds out who calls, before a route is looked for or a byte of the body is read."""

    def __init__(self, app: ASGIApp, open_paths: frozenset[str]) -> None:
        self._app = app
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_open(_path(scope), self._open_paths):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            request.state.caller = await scope["app"].state.authenticate(request)
        except (NotAuthenticated, HttpError, RegistryError) as error:
            await problem(request, error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_open(path: str, open_paths: frozenset[str]) -> bool:
    return path in open_paths or path.startswith(ASSETS)


def _path(scope: Scope) -> str:
    """The path below the place where the app is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
