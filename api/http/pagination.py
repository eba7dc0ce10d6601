"""Lists by the page, for routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from fastapi import Request
from pydantic import TypeAdapter

from . import page_token

P = TypeVar("P")


class Paging(Generic[P]):
    """One request for a page: where it begins, and the answer made of its items.

    ``kind`` is the type of the list's positions. ``query`` holds the filters, which bind the
    page's token together with the route's path. ``after`` is None on the first page.
    """

    def __init__(
        self, request: Request, limit: int, after: str | None, kind: TypeAdapter[P], **query: Any
    ) -> None:
        self._query: Mapping[str, Any] = {"route": request.url.path, **query}
        self._limit = limit
        self.after = page_token.decode(self._query, after, kind)

    def page(
        self,
        items: Sequence[Any],
        position: Callable[[Any], P],
        document: Callable[[Any], Any] = lambda item: item,
    ) -> dict[str, Any]:
        """The page of ``items``, of which the core returned one more than the page holds, if there
        is one; ``next`` is the token of the next page."""
        visible = items[: self._limit]
        more = len(items) > self._limit
        return {
            "items": [document(item) for item in visible],
            "next": page_token.encode(self._query, position(visible[-1])) if more else None,
        }
