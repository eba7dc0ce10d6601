"""``Idempotency-Key``: repeating a request with the same key gives the same answer, one effect."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import Depends, Header, Request

from .errors import HttpError

_LONGEST = 200


async def operation_id(
    request: Request,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="1 to 200 printable ASCII characters. The same key again gives the same "
            "answer and one effect; with another request it is a conflict.",
            json_schema_extra={"minLength": 1, "maxLength": _LONGEST, "pattern": r"^[!-~]+$"},
        ),
    ] = None,
) -> str | None:
    """The core's operation id: the key, in a space of its own for each credential, so that no
    caller can take ids that Airflow or another caller will use."""
    if key is None:
        return None
    if not 1 <= len(key) <= _LONGEST or not all("!" <= char <= "~" for char in key):
        raise HttpError(
            422,
            "invalid_input",
            f"Idempotency-Key must be 1 to {_LONGEST} printable ASCII characters without spaces",
            field="Idempotency-Key",
        )
    name = request.state.caller.principal.name
    return f"http:{hashlib.sha256(name.encode()).hexdigest()[:16]}:{key}"


OperationId = Annotated[str | None, Depends(operation_id)]
