"""A pickle that leaves a trace when it is executed."""

from __future__ import annotations

import os
from typing import Any


class Canary:
    """Unpickled, it makes a folder; so does calling it."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return os.mkdir, (self.place,)
