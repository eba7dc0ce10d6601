"""Lists by the page, for routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastapi import Request

from .caller import Caller
from .pages import PageTokens


class Paging:
    """One request for a page: where it begins, and the answer made of what was found."""

    def __init__(
        self, request: Request, caller: Caller, limit: int, after: str | None, **query: Any
    ) -> None:
        tokens: PageTokens = request.app.state.pages
        self._tokens = tokens
        self._tenant = caller.tenant_id
        self._query: Mapping[str, Any] = {"route": request.url.path, **query}
        self.limit = limit
        self.after: Any = tokens.position(self._tenant, self._query, after)

    def page(
        self,
        found: Iterable[Any],
        position: Callable[[Any], str | int],
        document: Callable[[Any], Any] = lambda item: item,
    ) -> dict[str, Any]:
        """The page of ``found``, one more than which was asked of the core."""
        rows = [(position(item), document(item)) for item in found]
        return self._tokens.page(self._tenant, self._query, rows, self.limit)

    def slice(self, found: Iterable[dict[str, Any]], name: str) -> dict[str, Any]:
        """The page of a list that the core gives whole, which goes on behind the item whose
        ``name`` is that of the token; from the start where that item is gone."""
        rows = [(item[name], item) for item in found]
        names = [row[0] for row in rows]
        start = names.index(self.after) + 1 if self.after in names else 0
        return self._tokens.page(
            self._tenant, self._query, rows[start : start + self.limit + 1], self.limit
        )
