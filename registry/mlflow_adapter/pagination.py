"""Following MLflow's page tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

Half = TypeVar("Half")


async def all_pages(
    call: Callable[[Callable[[Half], Any]], Awaitable[Any]],
    fetch: Callable[[Half, str | None], Any],
    *,
    limit: int | None = None,
) -> list[Any]:
    """Everything ``fetch`` returns from page to page, at most ``limit`` items; one ``call``, of a
    :class:`Connection`, a page."""
    items: list[Any] = []
    token: str | None = None
    while True:
        page = await _page(call, fetch, token)
        items += page
        token = page.token
        if not token or (limit is not None and len(items) >= limit):
            return items[:limit]


async def _page(
    call: Callable[[Callable[[Half], Any]], Awaitable[Any]],
    fetch: Callable[[Half, str | None], Any],
    token: str | None,
) -> Any:
    return await call(lambda half: fetch(half, token))
