"""``keys``: credentials of the HTTP API."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from model_lifecycle.registry.domain.authorization import Action, Role, require
from model_lifecycle.registry.settings import Settings
from model_lifecycle.registry.sync import run_sync

from ..context import acting_principal
from ..options import Actor, AsJson, Home, Tenant
from ..output import answer
from ..rendering.table import Column, ResponsiveTable

if TYPE_CHECKING:
    from model_lifecycle.registry.administration import ApiKey, ApiKeys

T = TypeVar("T")
keys = typer.Typer(no_args_is_help=True, help="Keys to the HTTP API.")


@keys.command()
def create(
    tenant: Tenant,
    role: Annotated[
        list[Role], typer.Option("--role", help="What its owner may do; several are possible.")
    ],
    name: Annotated[str, typer.Option("--name", help="Who will use it; the ledger shows it.")],
    days: Annotated[
        int, typer.Option("--days", min=1, max=3650, help="How long it is valid.")
    ] = 90,
    actor: Actor = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown this once: only its hash is kept."""
    principal = acting_principal(actor)
    require(principal, Action.FORCE)
    key, made = _with_keys(
        home,
        lambda store: store.create(
            tenant,
            name,
            [item.value for item in role],
            life=timedelta(days=days),
            created_by=str(principal),
        ),
    )
    answer(
        as_json,
        {"key": key, **made.document()},
        key,
        f"Key {made.key_id} of {made.name} is valid until {made.expires_at:%Y-%m-%d}. "
        "Keep it now: it cannot be shown again.",
    )


@keys.command("list")
def list_keys(tenant: Tenant, home: Home = None, as_json: AsJson = False) -> None:
    """The tenant's keys: who has them, what they may do, until when."""
    listed = _with_keys(home, lambda store: store.list(tenant))
    columns = [Column(title) for title in ("key", "name", "roles", "expires", "revoked")]
    answer(
        as_json,
        {"keys": [item.document() for item in listed]},
        ResponsiveTable(tuple(columns), [_row(item) for item in listed]) if listed else "No keys.",
    )


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="Id of the key, from the list.")],
    tenant: Tenant,
    actor: Actor = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take a key out of use for good. Servers stop taking it within seconds."""
    principal = acting_principal(actor)
    require(principal, Action.FORCE)
    gone = _with_keys(home, lambda store: store.revoke(tenant, key_id, revoked_by=str(principal)))
    answer(as_json, gone.document(), f"Key {gone.key_id} of {gone.name} is revoked.")


def _with_keys(home: Any, work: Callable[[ApiKeys], Coroutine[Any, Any, T]]) -> T:
    from model_lifecycle.registry.administration import ApiKeys

    settings = Settings(home=home)

    async def working() -> T:
        store = await ApiKeys.open(settings.database_url)
        try:
            return await work(store)
        finally:
            await store.close()

    return run_sync(working())


def _row(key: ApiKey) -> tuple[str, ...]:
    return (
        key.key_id,
        key.name,
        ", ".join(sorted(role.value for role in key.roles)),
        f"{key.expires_at:%Y-%m-%d}",
        f"{key.revoked_at:%Y-%m-%d}" if key.revoked_at else "",
    )
