"""A question over HTTP, as health checks ask it."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import Any

from .ports import HOST


def ask(port: int, path: str, *, seconds: float = 5.0) -> tuple[int, Any]:
    """Status and answer (JSON where it is, else text) of ``GET path``.

    Status 0 if nobody answers; the answer then says why.
    """
    connection = HTTPConnection(HOST, port, timeout=seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        return 0, f"it does not answer ({type(error).__name__})"
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text)
    except ValueError:
        return answer.status, text
