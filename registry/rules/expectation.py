"""What a caller expects to be in production, for compare-and-set."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from .errors import StaleProduction
from .tenancy import version_number


class _Any(Enum):
    ANY = "any"


#: The caller takes whatever is in production. Distinct from None, which expects nothing there.
ANY: Final = _Any.ANY
ExpectedProduction = int | None | _Any


def parse_expected(value: Any) -> ExpectedProduction:
    """``value`` if it is ANY, None or a version. Raises :class:`InvalidName`."""
    if value is None or isinstance(value, _Any):
        return value
    return version_number(value, field="expected_production")


def check_expected(expected: ExpectedProduction, actual: int | None) -> None:
    """Return if ``actual`` is what the caller expected; raise :class:`StaleProduction` if not."""
    if not isinstance(expected, _Any) and expected != actual:
        raise StaleProduction(expected=expected, actual=actual)
