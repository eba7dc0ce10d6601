"""``reconcile``, ``prune``, ``db upgrade`` and ``registry move``: the upkeep of the stores."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
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
from ..rendering.formatting import format_timestamp
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


def prune(
    older_than: Annotated[
        float,
        typer.Option(
            "--older-than",
            metavar="DAYS",
            envvar="MODEL_LIFECYCLE_RETENTION_DAYS",
            help="Age in days, at least 7.",
        ),
    ] = 90,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count the rows, and remove none.")
    ] = False,
    actor: Actor = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Remove answered operations and finished rows of the outbox, of all tenants.

    Models, versions, evidence and history stay. A call that is repeated with an operation id that
    was removed acts again, so nothing younger than 7 days is removed.
    """
    if not 0 < older_than < 36_525:
        raise InvalidInput("--older-than must be a number of days, 7 to 36524", field="older_than")
    age, principal = timedelta(days=older_than), acting_principal(actor)
    require(principal, Action.PRUNE)
    counts = with_registry(
        home,
        lambda registry: (
            registry.count_prunable(age) if dry_run else registry.prune(age, actor=principal)
        ),
    )
    answer(
        as_json,
        {**counts.document(), "dry_run": dry_run},
        f"{'Would remove' if dry_run else 'Removed'} {counts.operations} operations and "
        f"{counts.outbox} rows of the outbox from before {format_timestamp(counts.before)} (UTC).",
    )


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
