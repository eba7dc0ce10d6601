"""Lists by the page: what fits, and where the list goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
Position = TypeVar("Position", str, int)


@dataclass(frozen=True)
class Page(Generic[T, Position]):
    """One page of a list. ``after`` is the position to continue after; None on the last page."""

    items: Sequence[T]
    after: Position | None

    @classmethod
    def cut(
        cls, items: Sequence[T], limit: int, position: Callable[[T], Position]
    ) -> Page[T, Position]:
        """The first ``limit`` of ``items``, which hold one more than that if the list goes on."""
        visible = items[:limit]
        return cls(visible, position(visible[-1]) if len(items) > limit else None)

    def notes(self) -> list[str]:
        """The line that tells a person how to go on; empty on the last page."""
        return [] if self.after is None else [f"There are more: --after {self.after}"]
