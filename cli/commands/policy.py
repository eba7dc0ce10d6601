"""``readiness`` and ``policy``: what a version still lacks, and what the gates ask for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..context import acting_principal, repeatable, with_registry
from ..exit_codes import ExitCode
from ..options import Actor, AsJson, Home, Model, OperationId, Tenant, VersionNumber
from ..output import answer, line
from ..policy_file import read_policy
from ..rendering.formatting import version_name
from .transitions import Target

if TYPE_CHECKING:
    from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
    from model_lifecycle.registry.model_registry import ModelRegistry


def readiness(
    model: Model,
    version: VersionNumber,
    tenant: Tenant,
    target: Annotated[Target, typer.Option(help="The stage it should go to.")] = Target.production,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the evidence that a version still lacks for a stage. Changes nothing.

    Exit code 0 when it is ready, 4 when it is not.
    """
    report = with_registry(
        home, lambda registry: registry.readiness(tenant, model, version, target.value)
    )
    state = f"{model} version {version} is in {report.stage}; production is "
    answer(
        as_json,
        report.document(),
        f"{state}{version_name(report.production)}.",
        line(
            f"Ready for {report.target}." if report.ready else f"Not ready for {report.target}:",
            "green" if report.ready else "red",
        ),
        *(f"  - {item.message} ({item.code})" for item in report.missing),
        *(line(f"Warning: {warning}", "yellow") for warning in report.warnings),
    )
    if not report.ready:
        raise typer.Exit(ExitCode.REFUSED)


def policy(
    model: Model,
    tenant: Tenant,
    file: Annotated[
        Path | None,
        typer.Option(
            "--set", metavar="FILE", help="Set this policy, YAML or JSON; - reads it from stdin."
        ),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why it is set; kept in the ledger.")
    ] = None,
    actor: Actor = None,
    operation_id: OperationId = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what a model's gates must show before a promotion, or set it.

    Evidence made under another policy no longer counts, so a new policy needs new runs of the
    gates.
    """
    if (file is None) is not (reason is None):
        raise typer.BadParameter("--set and --reason go together: the ledger keeps why")
    if file is None or reason is None:
        _tell(
            as_json, model, with_registry(home, lambda registry: registry.get_policy(tenant, model))
        )
        return
    new_policy, why, principal = read_policy(file), reason, acting_principal(actor)

    async def change(registry: ModelRegistry) -> PromotionPolicy:
        return await registry.set_policy(
            tenant, model, new_policy, actor=principal, reason=why, operation_id=chosen
        )

    with repeatable(operation_id) as chosen:
        _tell(as_json, model, with_registry(home, change))


def _tell(as_json: bool, model: str, current: PromotionPolicy) -> None:
    document = current.document()
    answer(
        as_json,
        {"model_id": model, "fingerprint": current.fingerprint, "policy": document},
        f"Policy of {model}, {current.fingerprint}",
        json.dumps(document, indent=2, ensure_ascii=False),
    )
