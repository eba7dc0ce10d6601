"""Parts of the routes' OpenAPI descriptions: problems, headers, links, forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from ..http.problem_details import MEDIA_TYPE
from ..uploads.form import DOCUMENT, FORM, ONNX, ZIP

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_DESCRIPTIONS = {
    400: "Not JSON, or a header that cannot be read.",
    401: "No credential, or not a valid one.",
    403: "The credential's roles do not allow it.",
    404: "Not found: also what belongs to another tenant.",
    409: "Refused by the state of things: somebody was first, a gate's evidence is missing, the "
    "stage table has no such move, or the key was used for another request.",
    412: "The model has changed since the state that If-Match names.",
    413: "The body is too large.",
    414: "The address is too long.",
    415: "The body is of another type.",
    422: "A value that the caller can correct; `field` names it.",
    500: "A mistake in this program.",
    501: "The model's framework is not installed on the server, or no key to sign with.",
    503: "A store does not answer; repeat with the same Idempotency-Key.",
    504: "No answer in time; repeat with the same Idempotency-Key.",
}
_ALWAYS = (400, 401, 403, 414, 422, 500, 503, 504)
ETAG = {"ETag": {"description": "The state that was read.", "schema": {"type": "string"}}}
_NOT_MODIFIED = {"description": "The caller has it already.", "headers": ETAG}

Responses = dict[int | str, dict[str, Any]]


def problems(*more: int) -> Responses:
    """The problem answers every route has, and those of this one."""
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "content": {MEDIA_TYPE: {"schema": _PROBLEM}},
        }
        for status in sorted({*_ALWAYS, *more})
    }


def reads(*more: int, links: Mapping[str, Any] | None = None) -> Responses:
    """Answers of a read with its ETag."""
    description: dict[str, Any] = {"description": "Found.", "headers": ETAG}
    if links:
        description["links"] = dict(links)
    return {200: description, 304: _NOT_MODIFIED, **problems(*more)}


def documents(*media_types: str) -> Responses:
    """Answers of a read of a file, which comes as one of ``media_types``."""
    content = {name: {"schema": {"type": "string"}} for name in media_types}
    if "application/json" in content:
        content["application/json"] = {"schema": {"type": "object"}}
    description = {"description": "Found.", "headers": ETAG, "content": content}
    return {200: description, 304: _NOT_MODIFIED, **problems(404)}


def writes(
    *more: int,
    status: int = 200,
    links: Mapping[str, Any] | None = None,
    etag: bool = True,
) -> Responses:
    """Answers of a write."""
    done: dict[str, Any] = {"description": "Done."}
    if etag:
        done["headers"] = dict(ETAG)
    if status == 201:
        done["headers"] = {
            **ETAG,
            "Location": {"description": "The model's path.", "schema": {"type": "string"}},
        }
    if links:
        done["links"] = dict(links)
    return {status: done, **problems(404, 409, 413, 415, *more)}


def link(operation: str, **parameters: str) -> dict[str, Any]:
    """A link to another route, its parameters taken from this answer."""
    return {"operationId": operation, "parameters": parameters}


def registration_body(by_source: type[BaseModel], by_upload: type[BaseModel]) -> dict[str, Any]:
    """The body of a registration: JSON, or a form with a file."""

    files = {
        ZIP: ("application/zip", "A zip of an MLflow model folder, without pickle."),
        ONNX: ("application/octet-stream", "An ONNX file."),
    }
    form = {
        "type": "object",
        "description": f"The document, and exactly one of the files {ZIP} and {ONNX}.",
        "required": [DOCUMENT],
        "additionalProperties": False,
        "properties": {
            DOCUMENT: {"$ref": f"#/components/schemas/{by_upload.__name__}"},
            **{
                name: {"type": "string", "format": "binary", "description": text}
                for name, (_, text) in files.items()
            },
        },
    }
    encoding = {
        DOCUMENT: {"contentType": "application/json"},
        **{name: {"contentType": kind} for name, (kind, _) in files.items()},
    }
    return {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": f"#/components/schemas/{by_source.__name__}"}},
            FORM: {"schema": form, "encoding": encoding},
        },
    }
