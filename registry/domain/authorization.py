"""Principals, and the actions of each role. The core checks them for every surface."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from .errors import InvalidInput, PermissionDenied


class Role(StrEnum):
    VIEWER = "viewer"
    CONTRIBUTOR = "contributor"
    GATEKEEPER = "gatekeeper"
    PROMOTER = "promoter"
    ADMIN = "admin"


class Action(StrEnum):
    """An action of a principal, worded to fit '… may not <action>'."""

    READ = "read models"
    REGISTER = "register versions"
    RECORD_EVIDENCE = "record evidence"
    SET_POLICY = "set promotion policies"
    MOVE_STAGE = "move versions between stages"
    ROLL_BACK = "roll back"
    DELETE = "delete versions"
    FORCE = "force a transition"
    SKIP_VERIFICATION = "move versions without verification"
    ERASE = "erase versions"
    PRUNE = "prune the ledger"
    RECONCILE = "reconcile"
    VERIFY_ALL = "verify the models of all tenants"
    ACCEPT_RESTORED_LEDGER = "accept a ledger that was restored from a backup"
    MOVE_REGISTRY = "move the registry to other stores"


#: Each action's roles. The writer of evidence and of policies cannot promote, and the promoter
#: can write neither, so that no single role below admin can carry a version into production alone.
ALLOWED: dict[Action, frozenset[Role]] = {
    Action.READ: frozenset(Role),
    Action.REGISTER: frozenset({Role.CONTRIBUTOR, Role.ADMIN}),
    Action.RECORD_EVIDENCE: frozenset({Role.GATEKEEPER, Role.ADMIN}),
    Action.SET_POLICY: frozenset({Role.GATEKEEPER, Role.ADMIN}),
    Action.MOVE_STAGE: frozenset({Role.PROMOTER, Role.ADMIN}),
    Action.ROLL_BACK: frozenset({Role.PROMOTER, Role.ADMIN}),
    Action.DELETE: frozenset({Role.ADMIN}),
    Action.FORCE: frozenset({Role.ADMIN}),
    Action.SKIP_VERIFICATION: frozenset({Role.ADMIN}),
    Action.ERASE: frozenset({Role.ADMIN}),
    Action.PRUNE: frozenset({Role.ADMIN}),
    Action.RECONCILE: frozenset({Role.PROMOTER, Role.ADMIN}),
    Action.VERIFY_ALL: frozenset({Role.PROMOTER, Role.ADMIN}),
    Action.ACCEPT_RESTORED_LEDGER: frozenset({Role.ADMIN}),
    Action.MOVE_REGISTRY: frozenset({Role.ADMIN}),
}


@dataclass(frozen=True)
class Principal:
    """Somebody or something that acts: a person, an API credential, an Airflow task.

    ``name`` goes into the ledger. ``on_behalf_of`` is the person who started the program, where
    there is one; the ledger shows both.
    """

    name: str
    roles: frozenset[Role] = field(default_factory=frozenset)
    on_behalf_of: str | None = None

    def __post_init__(self) -> None:
        for value in (self.name, self.on_behalf_of or "x"):
            if not value.strip() or len(value) > 512 or not value.isprintable():
                raise InvalidInput(
                    "actor must be 1 to 512 printable characters that say who acts", field="actor"
                )

    def __str__(self) -> str:
        return f"{self.name} for {self.on_behalf_of}" if self.on_behalf_of else self.name


def principal(actor: Principal | str) -> Principal:
    """``actor`` as a principal. A plain string is trusted local use and holds every role."""
    if isinstance(actor, Principal):
        return actor
    if isinstance(actor, str):
        return Principal(actor, frozenset(Role))
    raise InvalidInput("actor must be a Principal or a name", field="actor")


def parse_roles(names: Iterable[str]) -> frozenset[Role]:
    """Roles from their names. Raises :class:`InvalidInput` for a name that is no role."""
    try:
        return frozenset(Role(name) for name in names)
    except ValueError as error:
        raise InvalidInput(f"{error}; roles are: {', '.join(Role)}", field="roles") from None


def require(actor: Principal, action: Action) -> None:
    """Return if ``actor`` may do ``action``; raise :class:`PermissionDenied` otherwise."""
    if not actor.roles & ALLOWED[action]:
        raise PermissionDenied(
            str(actor), action.value, needed=sorted(role.value for role in ALLOWED[action])
        )
