"""Reading what MLflow's server, or a proxy before it, answers to a request of its REST API."""

from __future__ import annotations

import json
from typing import Any

from ..errors import MEANING_OF

#: Codes for answers that name none, as MLflow's own client reads them.
_CODE_OF_STATUS = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "ENDPOINT_NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "NOT_IMPLEMENTED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_OTHER = "INTERNAL_ERROR"


class AnswerError(Exception):
    """An answer that is an error, or none at all; ``error_code`` is one of MLflow's."""

    def __init__(self, error_code: str, message: str) -> None:
        super().__init__(message)
        self.error_code = error_code


def document_of(status: int, body: bytes) -> dict[str, Any]:
    """The JSON object of a successful answer. Raises AnswerError."""
    document = _json(body)
    if status != 200:
        raise _error(status, document, body)
    if body.strip() in (b"", b"200 OK"):
        return {}
    if not isinstance(document, dict):
        raise AnswerError(_OTHER, "the answer is not a JSON object")
    return document


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _error(status: int, document: Any, body: bytes) -> AnswerError:
    if not isinstance(document, dict):
        return AnswerError(_CODE_OF_STATUS.get(status, _OTHER), body.decode(errors="replace"))
    return AnswerError(_code(document.get("error_code")), str(document.get("message", "")))


def _code(error_code: object) -> str:
    """The code that an answer tells: by name, or by the HTTP status that stands for it."""
    if isinstance(error_code, str) and error_code in MEANING_OF:
        return error_code
    try:
        return _CODE_OF_STATUS.get(int(str(error_code)), _OTHER)
    except ValueError:
        return _OTHER
