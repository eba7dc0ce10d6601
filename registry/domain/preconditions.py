"""Preconditions of a write, for compare-and-set."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Any, Final

from .errors import InvalidInput, StaleModel, StaleProduction
from .identifiers import version_number


class _Any(Enum):
    ANY = "any"


#: The caller takes whatever is there. Distinct from None, which expects nothing in production.
ANY: Final = _Any.ANY
ExpectedProduction = int | None | _Any
#: The epoch of the model that the caller has seen, or several that will do.
ExpectedEpoch = int | Collection[int] | _Any
#: The same, parsed.
Epochs = frozenset[int] | _Any


def parse_expected(value: Any) -> ExpectedProduction:
    """``value`` if it is ANY, None or a version. Raises :class:`InvalidName`."""
    if value is None or isinstance(value, _Any):
        return value
    return version_number(value, field="expected_production")


def check_expected(expected: ExpectedProduction, actual: int | None) -> None:
    """Return if ``actual`` is what the caller expected; raise :class:`StaleProduction` if not."""
    if not isinstance(expected, _Any) and expected != actual:
        raise StaleProduction(expected=expected, actual=actual)


def parse_expected_epoch(value: Any) -> Epochs:
    """The epochs that will do, or ANY. Raises :class:`InvalidInput`."""
    if isinstance(value, _Any):
        return value
    epochs = (value,) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(epochs, tuple | list | set | frozenset) or not all(
        isinstance(epoch, int) and not isinstance(epoch, bool) and epoch >= 0 for epoch in epochs
    ):
        raise InvalidInput(
            "expected_epoch must be an epoch of the model, or several", field="expected_epoch"
        )
    return frozenset(epochs)


def check_epoch(expected: Epochs, model_id: str, actual: int) -> None:
    """Return if the caller expected the model at epoch ``actual``; raise :class:`StaleModel`."""
    if not isinstance(expected, _Any) and actual not in expected:
        raise StaleModel(model_id, actual)
