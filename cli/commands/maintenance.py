"""``reconcile``, ``db upgrade`` and ``registry move``: keeping the stores in agreement, and up to
date."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from model_lifecycle.registry.domain.authorization import Action, require
from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.settings import Settings
from model_lifecycle.registry.sync import run_sync

from ..context import acting_principal, require_ledger, with_registry
from ..exit_codes import ExitCode
from ..options import Actor, AllTenants, AnyTenant, AsJson, Home
from ..output import answer, line
from ..rendering.table import Column, ResponsiveTable


def reconcile(
    tenant: AnyTenant = None,
    all_tenants: AllTenants = False,
    accept_restored_ledger: Annotated[
        bool,
        typer.Option(
            "--accept-restored-ledger",
            help="Go on with a ledger that was restored from a backup: aliases may move back.",
        ),
    ] = False,
    actor: Actor = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Compare MLflow with the ledger, repair what differs, and report it.

    A model whose ledger is older than what was anchored of it outside of the database is left as it
    is, until somebody with the role admin accepts the restored ledger, as an entry of it. Exit code
    8 if damage is left that only a person can repair.
    """
    if tenant is None and not all_tenants:
        raise typer.BadParameter("say whose models: --tenant NAME, or --all")
    principal = acting_principal(actor)
    require(principal, Action.RECONCILE)
    accepted_by = principal if accept_restored_ledger else None
    findings = with_registry(
        home,
        lambda registry: registry.reconcile(
            None if all_tenants else tenant, accept_restored_ledger_as=accepted_by
        ),
    )
    columns = (Column("model"), Column("version"), Column("state"), Column("what", wraps=True))
    rows = [
        (
            f"{item.tenant_id}/{item.model_id}" if all_tenants else item.model_id,
            item.version or "",
            line("healed", "green") if item.healed else line("DAMAGED", "red"),
            item.message,
        )
        for item in findings
    ]
    answer(
        as_json,
        {"findings": [item.document() for item in findings]},
        ResponsiveTable(columns, rows) if findings else "MLflow shows what the ledger says.",
    )
    if not all(item.healed for item in findings):
        raise typer.Exit(ExitCode.DAMAGE)


def upgrade(home: Home = None, as_json: AsJson = False) -> None:
    """Bring the ledger's tables to this version of the program; makes them where there are none.

    Run it before the first use of a ledger in service, and after each update.
    """
    from model_lifecycle.registry.administration import upgrade_ledger

    settings = Settings(home=home)
    database = settings.redacted()["database_url"]
    try:
        migration = run_sync(upgrade_ledger(settings.database_url))
    except OSError as error:
        raise InvalidInput(
            f"no ledger can be made at {database}: {error.strerror}", field="home"
        ) from None
    answer(
        as_json,
        {"database_url": database, "migration": migration},
        f"The ledger at {database} is at migration {migration}.",
    )


def move(actor: Actor = None, home: Home = None, as_json: AsJson = False) -> None:
    """Bind the ledger to the artifact root and the MLflow of the present settings.

    For a registry that moves: copy all files to the new root first, and stop every worker. Role:
    admin.
    """
    from model_lifecycle.registry.administration import move_registry

    require(acting_principal(actor), Action.MOVE_REGISTRY)
    settings = Settings(home=home)
    require_ledger(settings)
    identity = run_sync(move_registry(settings))
    answer(
        as_json,
        asdict(identity),
        f"Registry {identity.registry_id} has its files in {identity.artifact_root} "
        f"and its MLflow at {identity.tracking_uri}.",
    )
