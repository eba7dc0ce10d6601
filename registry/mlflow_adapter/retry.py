"""First writes of one key by two at once: MLflow's database keeps one and rolls the other back."""

from __future__ import annotations

from collections.abc import Callable

from .errors import is_lost_race


def again_if_raced(write: Callable[[], None]) -> None:
    """Do ``write``, which sets a tag or an alias; the loser of a race does it once more, and
    finds the key there."""
    try:
        write()
    except Exception as error:
        if not is_lost_race(error):
            raise
        write()
