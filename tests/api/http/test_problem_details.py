from __future__ import annotations

import inspect

import pytest

from model_lifecycle.api.http.problem_details import STATUSES
from model_lifecycle.registry.domain import errors

TREE = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.RegistryError)
]


@pytest.mark.parametrize("kind", TREE)
def test_every_error_has_a_status(kind: type[errors.RegistryError]) -> None:
    """The table names each class of the tree itself; only damage is the server's fault."""
    damage = issubclass(kind, errors.LedgerCorrupt | errors.ProofRefused)

    assert kind in STATUSES
    assert (STATUSES[kind] == 500) == (kind is errors.RegistryError or damage)


def test_the_table_names_nothing_else() -> None:
    """No class that the tree does not have."""
    assert set(STATUSES) == set(TREE)
