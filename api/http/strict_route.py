"""A route that takes what it declares and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, get_args, get_origin

from fastapi import Request, Response
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.routing import APIRoute

from .errors import HttpError
from .strict_json import json_body


class StrictRoute(APIRoute):
    """Refuses unknown and repeated query parameters, and reads JSON bodies strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        original = super().get_route_handler()
        query = get_flat_dependant(self.dependant).query_params
        known = {field.alias: _takes_list(field) for field in query}
        takes_body = self.body_field is not None

        async def handle(request: Request) -> Response:
            _check_query(request, known)
            if takes_body:
                request = _Parsed(request, await json_body(request))
            return await original(request)

        return handle


class _Parsed(Request):
    """A request whose body was parsed already."""

    def __init__(self, request: Request, document: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._body = request._body
        self._document = document

    async def json(self) -> Any:
        return self._document


def _takes_list(field: Any) -> bool:
    kind = field.field_info.annotation
    return any(get_origin(item) is list for item in (kind, *get_args(kind)))


def _check_query(request: Request, known: dict[str, bool]) -> None:
    if not request.scope["query_string"]:
        return
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            allowed = ", ".join(sorted(known)) or "none"
            raise HttpError(
                422,
                "invalid_input",
                f"there is no query parameter {name[:80]!r}; this route knows: {allowed}",
                field=name[:80],
            )
        if name in seen and not known[name]:
            raise HttpError(
                422, "invalid_input", f"the query parameter {name!r} comes twice", field=name
            )
        seen.add(name)
