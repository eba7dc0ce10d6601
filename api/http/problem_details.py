"""Errors as problem documents (RFC 9457): one table of statuses, one form, nothing internal."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response
from starlette.routing import Match

from model_lifecycle.registry.domain import errors

from ..auth.caller import NotAuthenticated
from .errors import HttpError
from .etags import etag_at
from .responses import encode

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger("model_lifecycle.api")

#: Every class of the error tree; a test holds it complete.
STATUSES: dict[type[errors.RegistryError], int] = {
    errors.RegistryError: 500,
    errors.InvalidInput: 422,
    errors.InvalidName: 422,
    errors.UnknownFramework: 422,
    errors.UntrustedModel: 422,
    errors.InvalidDataset: 422,
    errors.NotFound: 404,
    errors.ModelNotFound: 404,
    errors.VersionNotFound: 404,
    errors.ExperimentNotFound: 404,
    errors.RunNotFound: 404,
    errors.EvidenceNotFound: 404,
    errors.ArtifactNotFound: 404,
    errors.Conflict: 409,
    errors.StaleModel: 412,
    errors.StaleProduction: 409,
    errors.NoEarlierProduction: 409,
    errors.OperationConflict: 409,
    errors.AlreadyExists: 409,
    errors.LedgerBehind: 409,
    errors.InvalidTransition: 409,
    errors.GateRefused: 409,
    errors.UntrustedEvidence: 409,
    errors.PermissionDenied: 403,
    # The caller can choose another version; the damage itself concerns the operator of the stores.
    errors.BundleCorrupt: 409,
    errors.LedgerCorrupt: 500,
    errors.LedgerTruncated: 500,
    errors.LedgerForked: 500,
    errors.ProofRefused: 500,
    errors.BackendUnavailable: 503,
    errors.ChangeInProgress: 503,
    errors.SchemaMismatch: 503,
    errors.FrameworkUnavailable: 501,
    errors.SigningUnavailable: 501,
}
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="model-lifecycle"'}
_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_CODES = {404: "no_such_route", 405: "method_not_allowed", 400: "bad_request"}


def install(app: FastAPI) -> None:
    """Let ``app`` answer errors that reach its routes' edge as problem documents."""
    for kind in (errors.RegistryError, StarletteHTTPException, RequestValidationError):
        app.add_exception_handler(kind, _handle)


async def _handle(request: Request, error: Exception) -> Response:
    return problem(request, error)


def problem(request: Request, error: Exception) -> Response:
    """The answer to a request that ended with ``error``, of whatever kind."""
    headers: dict[str, str] = {}
    details: dict[str, Any] = {}
    if isinstance(error, errors.RegistryError):
        status, code, text = _status(error), error.code, str(error)
        details = error.details()
        if isinstance(error, errors.StaleModel):
            tenant_id = request.state.caller.tenant_id
            headers["ETag"] = etag_at(tenant_id, error.model_id, error.epoch)
        if error.retryable:
            headers["Retry-After"] = "5"
    elif isinstance(error, HttpError):
        status, code, text = error.status_code, error.code, str(error.detail)
        details = error.details
        headers.update(error.headers or {})
    elif isinstance(error, NotAuthenticated):
        status, code, text = 401, "not_authenticated", str(error)
        headers.update(_CHALLENGE)
    elif isinstance(error, RequestValidationError):
        status, code, text, details = _invalid(error)
    elif isinstance(error, StarletteHTTPException):
        status, text = error.status_code, str(error.detail)
        code = _CODES.get(status, "http_error")
        headers.update(error.headers or {})
        if status == 405:
            headers["Allow"] = _allowed(request)
    else:
        log_failure(request, error)
        status, code = 500, "internal_error"
        text = "a mistake in this program; its log has more under the request id"
    return document(request, status, code, text, details, headers)


def log_failure(request: Request, error: Exception) -> None:
    """Log an error that no route expects, with its traceback, under the request's id."""
    fields = {
        "request_id": correlation_id.get() or "",
        "method": request.method,
        "route": getattr(request.scope.get("route"), "path", "unmatched"),
    }
    _log.error("request failed", exc_info=error, extra={"document": fields})


def document(
    request: Request,
    status: int,
    code: str,
    text: str,
    details: dict[str, Any],
    headers: dict[str, str],
) -> Response:
    """A problem document; ``details`` are the error's own fields."""
    body = {
        **details,
        "type": f"urn:model-lifecycle:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": text,
        "code": code,
        "request_id": correlation_id.get() or "",
    }
    headers = {"Cache-Control": "no-store", **headers}
    return Response(encode(body), status, headers, media_type=MEDIA_TYPE)


def _status(error: errors.RegistryError) -> int:
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def _allowed(request: Request) -> str:
    """The methods of the path; Starlette names those of its first route only."""
    routes = request.app.router.routes
    methods = {
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes
        )
    }
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods))


def _invalid(error: RequestValidationError) -> tuple[int, str, str, dict[str, Any]]:
    """Pydantic's messages without the values, which may be large or secret."""
    problems = [
        {"field": ".".join(map(str, item["loc"][1:])) or str(item["loc"][0]), "detail": item["msg"]}
        for item in error.errors()[:20]
    ]
    first = problems[0]
    text = f"{first['field']}: {first['detail']}"
    return 422, "invalid_input", text, {"field": first["field"], "errors": problems}
