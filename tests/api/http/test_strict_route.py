"""Routes accept what the API's description declares, on every FastAPI."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from support.http import Api

from model_lifecycle import api as package
from model_lifecycle.api import ApiSettings, create_app
from model_lifecycle.api.http.strict_route import DeclaredInput, DeclaredInputs
from model_lifecycle.registry.settings import Settings

#: FastAPI's documented modules.
PUBLIC = {"fastapi", "fastapi.exceptions", "fastapi.openapi.utils", "fastapi.routing"}


@pytest.fixture(scope="module")
def inputs() -> DeclaredInputs:
    app = create_app(Settings({}, home="unused"), api=ApiSettings({}))
    operations: DeclaredInputs = app.state.inputs
    return operations


@pytest.mark.parametrize(
    ("operation_id", "expected"),
    [
        ("get_model", DeclaredInput()),
        (
            "list_models",
            DeclaredInput({"stage": False, "framework": False, "limit": False, "after": False}),
        ),
        ("compare_runs", DeclaredInput({"run_ids": True, "metrics": True})),
        ("set_policy", DeclaredInput({}, json_body=True)),
        ("register_model", DeclaredInput({}, json_body=False)),
        (None, DeclaredInput()),
    ],
)
def test_inputs_are_those_of_the_description(
    inputs: DeclaredInputs, operation_id: str | None, expected: DeclaredInput
) -> None:
    """Parameters that may be repeated, bodies that must be JSON; forms are read by their route."""
    assert inputs.of(operation_id) == expected


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        ("/models", "limits=1", "there is no query parameter 'limits'; this route knows: after,"),
        ("/models", "limit=1&limit=2", "the query parameter 'limit' comes twice"),
        ("/models/churn", "x=1", "there is no query parameter 'x'; this route knows: none"),
    ],
)
def test_an_undeclared_query_is_refused(api: Api, path: str, query: str, message: str) -> None:
    """With its name, and with what the route accepts."""
    answer = api.get(f"{path}?{query}")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_input"
    assert answer.json()["field"] == query.partition("=")[0]
    assert answer.json()["detail"].startswith(message)


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/healthz"])
def test_routes_outside_the_description_accept_no_query(api: Api, path: str) -> None:
    """The page of the description is as strict as the API."""
    assert api.client.get(f"{path}?x=1").status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/api/v1/models", "GET, HEAD, POST"),
        ("POST", "/api/v1/models/churn", "DELETE, GET, HEAD"),
        ("DELETE", "/api/v1/models/churn/policy", "GET, HEAD, PUT"),
        ("POST", "/healthz", "GET, HEAD"),
    ],
)
def test_a_wrong_method_names_the_right_ones(
    api: Api, method: str, path: str, allowed: str
) -> None:
    """All methods of the path, though each belongs to a route of its own."""
    answer = api.client.request(method, path, headers=api.acme.headers())

    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_only_public_modules_of_fastapi_are_imported() -> None:
    """Others change without notice, and have done so."""
    root = Path(package.__file__).parents[1]
    files = [*(root / "api").rglob("*.py"), *(root / "plugin").rglob("*.py")]
    imported: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            imported |= _modules(node)

    assert {name for name in imported if name.split(".")[0] == "fastapi"} == PUBLIC


def _modules(node: Any) -> set[str]:
    if isinstance(node, ast.ImportFrom) and not node.level:
        return {str(node.module)}
    return {item.name for item in node.names} if isinstance(node, ast.Import) else set()
