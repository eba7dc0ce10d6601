from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi.routing import APIRoute

from model_lifecycle.api import ApiSettings, create_app
from model_lifecycle.api.app import ROUTERS
from model_lifecycle.api.openapi.reference import page
from model_lifecycle.api.schemas.fields import MODEL_PATTERN
from model_lifecycle.registry.domain import identifiers
from model_lifecycle.registry.settings import Settings

APP = create_app(Settings({}, home="unused"), api=ApiSettings({}))
DOCS = Path(__file__).parents[3] / "docs" / "reference" / "api.md"


def test_the_page_is_what_the_api_says_of_itself() -> None:
    """`python -m model_lifecycle.api.write_reference > docs/reference/api.md` writes the page."""
    assert DOCS.read_text(encoding="utf-8") == page(APP.openapi())


def test_every_route_has_a_curl_that_reaches_it() -> None:
    """Each command on the page is one of the app's routes, and each route has one."""
    reached = {
        (method, route.path)
        for method, path, _, _ in _commands()
        for route in _routes(method, path)
    }
    described = {
        (method.upper(), path)
        for path, operations in APP.openapi()["paths"].items()
        for method in operations
    }

    assert described <= reached


def test_every_curl_sends_what_its_route_accepts() -> None:
    """Query parameters, headers, JSON fields and form parts of each command are in the document."""
    document = APP.openapi()
    for method, path, query, words in _commands():
        [route] = _routes(method, path)
        operation = document["paths"][route.path][method.lower()]
        names = {item["name"] for item in operation.get("parameters", ())}
        headers = {value.partition(":")[0] for value in _values(words, "-H")}
        content = operation.get("requestBody", {}).get("content", {})

        assert set(parse_qs(query)) <= names, path
        assert headers - {"Authorization", "Content-Type"} <= names, path
        for body in _values(words, "-d"):
            assert set(json.loads(body)) <= _properties(document, content["application/json"])
        for part in _values(words, "-F"):
            form = _properties(document, content["multipart/form-data"])
            assert part.partition("=")[0] in form


def _commands() -> Iterator[tuple[str, str, str, list[str]]]:
    """Method, path, query and words of each curl command on the page."""
    for command in re.findall(r"```sh\n(curl.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL):
        words = shlex.split(command.replace("\\\n", " "))
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        path, _, query = words[-1].removeprefix("$API").partition("?")
        yield method, path, query, words


def _values(words: list[str], option: str) -> list[str]:
    return [value for name, value in pairwise(words) if name == option]


def _routes(method: str, path: str) -> list[APIRoute]:
    """The routes that a request reaches."""
    return [
        route
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        and method in route.methods
        and route.path_regex.fullmatch(path)
    ]


def _properties(document: dict[str, Any], media: dict[str, Any]) -> set[str]:
    """Names of the fields of a body's schema."""
    schema = media["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return set(schema["properties"])


def test_every_route_describes_its_problems() -> None:
    """Each names at least the problems that any route can have, as problem documents."""
    for path, operations in APP.openapi()["paths"].items():
        for method, operation in operations.items():
            statuses = {
                status: answer
                for status, answer in operation["responses"].items()
                if "application/problem+json" in answer.get("content", {})
            }

            assert {"401", "403", "422", "500", "504"} <= set(statuses), (method, path)


def test_the_design_has_its_nine_routes() -> None:
    """The nine routes of the design are there."""
    paths = APP.openapi()["paths"]
    nine = {
        "/api/v1/models": {"get", "post"},
        "/api/v1/models/{model_id}": {"get", "delete"},
        "/api/v1/models/{model_id}/versions": {"post"},
        "/api/v1/models/{model_id}/stage": {"put"},
        "/api/v1/experiments": {"get"},
        "/api/v1/experiments/{exp_id}/runs": {"get"},
        "/api/v1/experiments/compare": {"get"},
    }

    assert all(methods <= set(paths[path]) for path, methods in nine.items())


def test_the_described_pattern_of_names_is_the_cores() -> None:
    """The description of model names states the rule that the core checks."""
    assert f"^{identifiers._MODEL.pattern}$" == MODEL_PATTERN
