from __future__ import annotations

import re
import shlex
from pathlib import Path

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
    reached = set()
    for command in re.findall(r"```sh\n(curl.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL):
        words = shlex.split(command.replace("\\\n", " "))
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        path = words[-1].removeprefix("$API").partition("?")[0]
        reached |= {
            (method, route.path)
            for router in ROUTERS
            for route in router.routes
            if isinstance(route, APIRoute)
            and method in route.methods
            and route.path_regex.fullmatch(path)
        }
    described = {
        (method.upper(), path)
        for path, operations in APP.openapi()["paths"].items()
        for method in operations
    }

    assert described <= reached


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
    """What the description says of model names is what the core checks."""
    assert f"^{identifiers._MODEL.pattern}$" == MODEL_PATTERN
