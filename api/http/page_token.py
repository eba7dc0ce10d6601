"""Page tokens: where a list goes on, bound to the query that the list belongs to.

A token is not signed. The tenant comes from the credential, never from the token, so a token that
was made by hand reaches nothing that its sender cannot list anyway; its position is validated like
any other input.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, Field, TypeAdapter, ValidationError

from model_lifecycle.registry.domain.models import timestamp

from ..schemas.fields import MODEL_PATTERN
from .errors import bad_page_token

P = TypeVar("P")

_HASH_BYTES = 8
_LONGEST = 2000


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("the timestamp is out of range") from None


_Timestamp = Annotated[AwareDatetime, AfterValidator(_in_utc)]
_Id = Annotated[str, Field(max_length=128, pattern=r"\A[A-Za-z0-9._-]+\z")]

#: What a list is ordered by: a model's or an experiment's name, the number of a version or entry,
#: the time of a record with its id, or the start of a run, if it has one, with its id.
MODEL_NAME = TypeAdapter[str](Annotated[str, Field(pattern=MODEL_PATTERN)])
EXPERIMENT_NAME = TypeAdapter[str](Annotated[str, Field(max_length=1000)])
NUMBER = TypeAdapter[int](Annotated[int, Field(strict=True, ge=0, le=2**53)])
RECORDED = TypeAdapter[tuple[datetime, str]](tuple[_Timestamp, _Id])
STARTED = TypeAdapter[tuple[datetime | None, str]](tuple[_Timestamp | None, _Id])


def encode(query: Mapping[str, Any], position: Any) -> str:
    """The token that continues ``query`` after ``position``."""
    document = json.dumps([_query_hash(query), position], default=_plain)
    return base64.urlsafe_b64encode(document.encode()).decode()


def decode(query: Mapping[str, Any], token: str | None, kind: TypeAdapter[P]) -> P | None:
    """The position that the token was made with; None without a token.

    Raises HttpError (422) for a token of another query, and for one that is no token.
    """
    if token is None:
        return None
    try:
        if not token.isascii() or len(token) > _LONGEST:
            raise bad_page_token()
        hashed, position = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
        if hashed != _query_hash(query):
            raise bad_page_token()
        return kind.validate_python(position)
    except (ValueError, TypeError, RecursionError, ValidationError):
        raise bad_page_token() from None


def _query_hash(query: Mapping[str, Any]) -> str:
    text = json.dumps(dict(query), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[: 2 * _HASH_BYTES]


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return timestamp(value)
    raise TypeError(f"{type(value).__name__} is no part of a position")
