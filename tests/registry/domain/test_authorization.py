"""Permissions of roles: the complete matrix, written down a second time."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from model_lifecycle.registry.domain.authorization import (
    Action,
    Principal,
    Role,
    parse_roles,
    principal,
    require,
)
from model_lifecycle.registry.domain.errors import InvalidInput, PermissionDenied

MATRIX = {
    "viewer": {"read models"},
    "contributor": {"read models", "register versions"},
    "gatekeeper": {"read models", "record evidence", "set promotion policies"},
    "promoter": {
        "read models",
        "move versions between stages",
        "roll back",
        "reconcile",
        "verify the models of all tenants",
    },
    "admin": {action.value for action in Action},
}


@pytest.mark.parametrize(("role", "action"), list(product(Role, Action)))
def test_each_role_may_do_what_the_matrix_says(role: Role, action: Action) -> None:
    """One role, one action: allowed or refused, with what it would need."""
    actor = Principal("kim", frozenset({role}))
    if action.value in MATRIX[role.value]:
        require(actor, action)
        return
    with pytest.raises(PermissionDenied, match=f"kim may not {action.value}") as caught:
        require(actor, action)

    needed = sorted(name for name, actions in MATRIX.items() if action.value in actions)
    assert caught.value.details() == {"action": action.value, "needed": needed}


def test_no_single_role_below_admin_carries_a_version_into_production() -> None:
    """The role that records evidence does not promote, and the one that promotes records none."""
    assert not any(
        {"record evidence", "move versions between stages"} <= actions
        for name, actions in MATRIX.items()
        if name != "admin"
    )


@pytest.mark.parametrize("action", Action)
def test_nobody_may_do_anything_without_a_role(action: Action) -> None:
    """A principal without roles cannot even read."""
    with pytest.raises(PermissionDenied):
        require(Principal("kim"), action)


@pytest.mark.parametrize("action", Action)
def test_a_plain_name_is_trusted(action: Action) -> None:
    """A string is local use: it holds every role."""
    require(principal("kim"), action)


def test_the_person_behind_a_program_is_shown() -> None:
    """The ledger shows both, and a principal stays the one it is."""
    actor = Principal("airflow:dag/run", frozenset({Role.PROMOTER}), on_behalf_of="kim")

    assert str(actor) == "airflow:dag/run for kim"
    assert principal(actor) is actor


@pytest.mark.parametrize(
    "value", ["", " ", "a\n", "a\0b", "a" * 513, None, 1, ["kim"], "\ud800", b"kim"]
)
def test_somebody_has_to_be_named(value: Any) -> None:
    """An actor without a printable name is refused."""
    with pytest.raises(InvalidInput) as caught:
        principal(value)

    assert caught.value.field == "actor"


@pytest.mark.parametrize("value", ["a\n", " ", "a" * 513])
def test_the_person_behind_has_to_be_named_too(value: str) -> None:
    """The name of the person behind an actor is checked as the actor's is."""
    with pytest.raises(InvalidInput):
        Principal("airflow", on_behalf_of=value)


def test_roles_are_read_from_their_names() -> None:
    """Names give roles, and a name that is none is refused with those that are."""
    assert parse_roles(["viewer", "admin"]) == {Role.VIEWER, Role.ADMIN}
    with pytest.raises(InvalidInput, match="viewer, contributor, gatekeeper, promoter, admin"):
        parse_roles(["root"])
