"""JSON answers: compact, finite, with an ETag, and 304 where the caller has them already."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import Request
from starlette.responses import Response

from model_lifecycle.registry.domain.models import ModelMetadata, VersionMetadata, timestamp

from .etags import names


def model_document(model: ModelMetadata) -> dict[str, Any]:
    """The model as the API answers it: the two fields that the specification types as text are
    text; a version of its own, such as ``production_version``, is a number. The receipt of a write
    is not part of the model."""
    document = {
        **vars(model),
        "current_version": str(model.current_version),
        "versions": [str(number) for number in model.versions],
    }
    del document["receipt"]
    return document


def _plain(value: Any) -> Any:
    """Instants, and the core's models and versions, whose fields are their document. Theirs makes
    deep copies, which is most of the time that a list takes."""
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, ModelMetadata):
        return model_document(value)
    if isinstance(value, VersionMetadata):
        return vars(value)
    raise TypeError(f"{type(value).__name__} is not plain JSON")


_encoder = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
)
_lenient = json.JSONEncoder(default=_plain)


def encode(document: Any) -> bytes:
    """``document`` as JSON. MLflow keeps NaN and infinity as metrics; JSON has only null."""
    try:
        return _encoder.encode(document).encode("utf-8", "replace")
    except ValueError:
        return _encoder.encode(_finite(json.loads(_lenient.encode(document)))).encode(
            "utf-8", "replace"
        )


def read(request: Request, document: Any, *, etag: str | None = None) -> Response:
    """The answer to a read: ``document``, or 304 if the caller's If-None-Match names it.

    Without an ``etag`` of its own it gets one from its bytes.
    """
    if etag is None:
        body = encode(document)
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    else:
        body = None
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if names(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return Response(body or encode(document), 200, headers, media_type="application/json")


def file_response(
    request: Request,
    content: bytes,
    media_type: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer to a read of a stored file, or 304 if the caller's If-None-Match names it."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {
        "ETag": etag,
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization",
        **(headers or {}),
    }
    if names(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    # The type goes in as a header: Starlette would add a second charset to a media type.
    return Response(content, 200, {**headers, "Content-Type": media_type})


def written(document: Any, *, status: int = 200, headers: Mapping[str, str]) -> Response:
    """The answer to a write: what is there now."""
    return Response(
        encode(document),
        status,
        {"Cache-Control": "no-store", **headers},
        media_type="application/json",
    )


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
