"""A route that accepts what the API's description declares for it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from .errors import HttpError
from .strict_json import json_body

_JSON = "application/json"
_LONGEST_NAME = 80


@dataclass(frozen=True)
class DeclaredInput:
    """The input that an operation accepts. ``query`` maps each parameter's name to whether it may
    be repeated; ``json_body`` is true where the body has to be JSON."""

    query: Mapping[str, bool] = field(default_factory=dict)
    json_body: bool = False


class DeclaredInputs:
    """The inputs of every operation, as an OpenAPI document has them.

    ``describe`` makes the document. It is called when the first request needs it.
    """

    def __init__(self, describe: Callable[[], Mapping[str, Any]]) -> None:
        self._describe = describe
        self._by_operation: dict[str, DeclaredInput] | None = None

    def of(self, operation_id: str | None) -> DeclaredInput:
        """The input of an operation; one that the document does not show has none."""
        if self._by_operation is None:
            self._by_operation = {
                operation["operationId"]: _declared(operation)
                for operations in self._describe()["paths"].values()
                for operation in operations.values()
            }
        return self._by_operation.get(operation_id or "", DeclaredInput())


class StrictRoute(APIRoute):
    """Refuses unknown and repeated query parameters, and reads JSON bodies strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        original = super().get_route_handler()

        async def handle(request: Request) -> Response:
            inputs: DeclaredInputs = request.app.state.inputs
            declared = inputs.of(self.operation_id)
            _check_query(request, declared.query)
            if declared.json_body:
                document = await json_body(request)
                request = _ParsedRequest(request, await request.body(), document)
            return await original(request)

        return handle


def versioned_router(tag: str) -> APIRouter:
    """A router for routes of the API's first version, which ``tag`` groups in its description."""
    return APIRouter(prefix="/api/v1", route_class=StrictRoute, tags=[tag])


class _ParsedRequest(Request):
    """A request whose body has been read and parsed."""

    def __init__(self, request: Request, content: bytes, document: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._content = content
        self._document = document

    async def body(self) -> bytes:
        return self._content

    async def json(self) -> Any:
        return self._document


def _declared(operation: Mapping[str, Any]) -> DeclaredInput:
    query = {
        item["name"]: item["schema"].get("type") == "array"
        for item in operation.get("parameters", ())
        if item["in"] == "query"
    }
    content = operation.get("requestBody", {}).get("content", {})
    return DeclaredInput(query, json_body=set(content) == {_JSON})


def _check_query(request: Request, known: Mapping[str, bool]) -> None:
    if not request.scope["query_string"]:
        return
    names: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            listed, allowed = name[:_LONGEST_NAME], ", ".join(sorted(known)) or "none"
            raise HttpError(
                422,
                "invalid_input",
                f"there is no query parameter {listed!r}; this route knows: {allowed}",
                field=listed,
            )
        if name in names and not known[name]:
            raise HttpError(
                422, "invalid_input", f"the query parameter {name!r} comes twice", field=name
            )
        names.add(name)
