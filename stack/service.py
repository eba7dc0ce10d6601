"""Description of one service of the stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .instance import Instance


def _no_environment(_instance: Instance) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class StackService:
    """A process. ``problem`` says why it is not ready, None once it is; ``settings`` is its
    environment on top of a clean one; ``user`` is who runs it if we are root."""

    name: str
    command: Callable[[Instance], list[str]]
    problem: Callable[[Instance], str | None]
    settings: Callable[[Instance], Mapping[str, str]] = _no_environment
    #: Names of the ports that it opens.
    ports: tuple[str, ...] = field(default=())
    user: str | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 30
    #: Parts with a higher number are stopped first.
    rank: int = 2
    #: Whether a stop is sent to all its processes, or to the first alone.
    stop_all: bool = True


class NotReady(Exception):
    """A part did not come up; the message names it and has the end of its log."""
