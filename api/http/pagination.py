"""Lists by the page, for routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from fastapi import Request

from ..auth.caller import Caller
from .page_token import PageTokens, Position


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

    @property
    def after_recorded(self) -> tuple[datetime, str] | None:
        """The start of a page in a list of records: a timestamp and an id."""
        if self.after is None:
            return None
        at, name = self.after
        return datetime.fromisoformat(at), name

    @property
    def after_time(self) -> tuple[datetime | None, str] | None:
        """The start of a page in a list by time: a timestamp, if any, and an id."""
        if self.after is None:
            return None
        at, name = self.after
        return None if at is None else datetime.fromisoformat(at), name

    def page(
        self,
        items: Iterable[Any],
        position: Callable[[Any], Position],
        document: Callable[[Any], Any] = lambda item: item,
    ) -> dict[str, Any]:
        """The page of ``items``, of which one more than the limit was read."""
        rows = [(position(item), document(item)) for item in items]
        return self._tokens.page(self._tenant, self._query, rows, self.limit)
