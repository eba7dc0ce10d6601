"""Following MLflow's page tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .connection import Connection
from .stores import Stores


async def all_pages(
    connection: Connection,
    fetch: Callable[[Stores, str | None], Any],
    *,
    limit: int | None = None,
) -> list[Any]:
    """Everything ``fetch`` returns from page to page, at most ``limit`` items; one call a page."""
    found: list[Any] = []
    token: str | None = None
    while True:
        page = await _page(connection, fetch, token)
        found += page
        token = page.token
        if not token or (limit is not None and len(found) >= limit):
            return found[:limit]


async def _page(
    connection: Connection, fetch: Callable[[Stores, str | None], Any], token: str | None
) -> Any:
    return await connection.call(lambda stores: fetch(stores, token))
