"""Work that may fail because a store does not answer, where the caller goes on without it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..domain.errors import BackendUnavailable

T = TypeVar("T")

#: So long a store has to answer.
ATTEMPT_SECONDS = 5.0


@dataclass(frozen=True)
class Attempt(Generic[T]):
    """How the work ended: with a ``result``, or with a ``problem`` of the store, in words."""

    result: T | None
    problem: str | None


async def attempt(work: Awaitable[T]) -> Attempt[T]:
    """Await ``work`` for some seconds. Raises every error but BackendUnavailable."""
    try:
        async with asyncio.timeout(ATTEMPT_SECONDS):
            return Attempt(await work, None)
    except TimeoutError:
        return Attempt(None, f"not finished within {ATTEMPT_SECONDS:g} s")
    except BackendUnavailable as error:
        return Attempt(None, str(error))
