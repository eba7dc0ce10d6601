"""JSON bodies, read strictly: what two parsers could understand differently is refused."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from fastapi import Request

from .errors import HttpError, malformed_json, unsupported_media_type

MAX_DEPTH = 32


def parse(data: bytes) -> Any:
    """``data`` as JSON. Raises a Refusal for what is not UTF-8, for keys that come twice, NaN and
    infinity, and nesting beyond 32 levels."""
    try:
        document = json.loads(
            data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant
        )
    except RecursionError:
        raise _too_deep() from None
    except UnicodeDecodeError:
        raise malformed_json("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise malformed_json(f"{error.msg} at character {error.pos}") from None
    except ValueError:
        raise malformed_json("a number is too long") from None
    if _deeper_than(document, MAX_DEPTH):
        raise _too_deep()
    return document


async def json_body(request: Request) -> Any:
    """The body of a request that has to be JSON."""
    if not is_json(request.headers.get("content-type", "")):
        raise unsupported_media_type("application/json")
    return parse(await request.body())


def is_json(content_type: str) -> bool:
    kind, _, parameters = content_type.partition(";")
    charset = parameters.replace(" ", "").lower()
    return kind.strip().lower() == "application/json" and charset in ("", "charset=utf-8")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise malformed_json("an object has the same key twice")
    return members


def _constant(name: str) -> NoReturn:
    raise malformed_json(f"{name} is not a JSON number")


def _too_deep() -> HttpError:
    return malformed_json(f"it is nested more than {MAX_DEPTH} levels deep")


def _deeper_than(value: Any, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)
