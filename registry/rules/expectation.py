"""What a caller expects to be in production, for compare-and-set."""

from __future__ import annotations

from enum import Enum
from typing import Final

from .errors import StaleProduction


class _Any(Enum):
    ANY = "any"


#: The caller takes whatever is in production. Distinct from None, which expects nothing there.
ANY: Final = _Any.ANY
ExpectedProduction = int | None | _Any


def check_expected(expected: ExpectedProduction, actual: int | None) -> None:
    """Return if ``actual`` is what the caller expected; raise :class:`StaleProduction` if not."""
    if not isinstance(expected, _Any) and expected != actual:
        raise StaleProduction(expected=expected, actual=actual)
