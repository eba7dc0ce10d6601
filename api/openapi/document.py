"""The app's OpenAPI document: what FastAPI finds, and what it cannot know."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from ..schemas import requests, responses

_SUMMARY = """\
Versions of machine-learning models, their stages, and the evidence behind every move.

The tenant comes from the credential alone. Another tenant's things are "not found". Errors are
problem documents (RFC 9457) with a stable `code`. Every POST, PUT and DELETE takes an
`Idempotency-Key`; reads have an `ETag`."""
_EXTRA_SCHEMAS = (
    responses.Problem,
    requests.RegisterModel,
    requests.UploadModel,
    requests.CreateVersion,
    requests.UploadVersion,
)
#: FastAPI's own form of validation errors, which no route here answers with.
_UNUSED = ("HTTPValidationError", "ValidationError")


def describe(app: FastAPI, open_paths: frozenset[str]) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=_SUMMARY, routes=app.routes
        )
        _, extra = models_json_schema(
            [(model, "validation") for model in _EXTRA_SCHEMAS],
            ref_template="#/components/schemas/{model}",
        )
        schemas = {**extra["$defs"], **document["components"].get("schemas", {})}
        for name in _UNUSED:
            schemas.pop(name, None)
        document["components"]["schemas"] = dict(sorted(schemas.items()))
        document["components"]["securitySchemes"] = {
            "bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key (`model-lifecycle keys create`) or a JWT.",
            }
        }
        document["security"] = [{"bearer": []}]
        for path, operations in document["paths"].items():
            for operation in operations.values():
                if path in open_paths:
                    operation["security"] = []
                for parameter in operation.get("parameters", ()):
                    parameter["schema"] = _without_null(parameter["schema"])
        app.openapi_schema = document
    return app.openapi_schema


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that may be left out is not one that may be null: there is no null in a URL."""
    kinds = schema.get("anyOf", [])
    if {"type": "null"} not in kinds or len(kinds) != 2:
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**next(kind for kind in kinds if kind != {"type": "null"}), **rest}
