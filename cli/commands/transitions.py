"""``promote``, ``rollback``, ``retire``, ``delete``, ``erase``: stage changes, each one entry."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model_lifecycle.registry.domain.errors import VersionNotFound
from model_lifecycle.registry.domain.identifiers import parse_version
from model_lifecycle.registry.domain.models import EntryKind, Receipt
from model_lifecycle.registry.domain.stages import Stage

from ..confirmation import require_consent
from ..context import acting_principal, repeatable, with_registry
from ..options import (
    Actor,
    AsJson,
    Expect,
    Home,
    Model,
    OperationId,
    Reason,
    Tenant,
    VersionNumber,
    WithoutVerification,
    Yes,
    expected_production,
)
from ..output import answer, line
from ..rendering.formatting import move, version_name
from .history import waived

if TYPE_CHECKING:
    from model_lifecycle.registry.model_registry import ModelRegistry


class Target(StrEnum):
    """The target stages of a promotion."""

    staging = Stage.STAGING.value
    production = Stage.PRODUCTION.value


def promote(
    model: Model,
    version: VersionNumber,
    tenant: Tenant,
    to: Annotated[Target, typer.Option("--to", help="The stage to go to.")] = Target.production,
    reason: Reason = "",
    expect: Expect = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Break glass: waive missing evidence. Needs a reason."),
    ] = False,
    without_verification: WithoutVerification = False,
    actor: Actor = None,
    operation_id: OperationId = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Promote a version, if its evidence allows it; the version it replaces is archived."""
    expected, principal = expected_production(expect), acting_principal(actor)

    async def change(registry: ModelRegistry, operation: str) -> Receipt | None:
        moved = await registry.transition_stage(
            tenant,
            model,
            version,
            to.value,
            actor=principal,
            reason=reason,
            expected_production=expected,
            force=force,
            without_verification=without_verification,
            operation_id=operation,
        )
        return moved.receipt

    _change(home, as_json, tenant, model, operation_id, change)


def rollback(
    model: Model,
    reason: Reason,
    tenant: Tenant,
    to_version: Annotated[
        int | None,
        typer.Option(
            metavar="VERSION",
            help="An archived version; by default the one that was superseded last.",
            parser=parse_version,
        ),
    ] = None,
    expect: Expect = None,
    without_verification: WithoutVerification = False,
    actor: Actor = None,
    operation_id: OperationId = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Put an earlier production version back, in one operation.

    The present one goes to development. The files of the earlier one are verified first. A version
    that was retired for a reason comes back only by its number.
    """
    expected, principal = expected_production(expect), acting_principal(actor)

    async def change(registry: ModelRegistry, operation: str) -> Receipt | None:
        moved = await registry.rollback(
            tenant,
            model,
            to_version=to_version,
            actor=principal,
            reason=reason,
            expected_production=expected,
            without_verification=without_verification,
            operation_id=operation,
        )
        return moved.receipt

    _change(home, as_json, tenant, model, operation_id, change)


def retire(
    model: Model,
    reason: Reason,
    tenant: Tenant,
    actor: Actor = None,
    operation_id: OperationId = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take the production version out of service; afterwards nothing is in production."""
    principal = acting_principal(actor)

    async def change(registry: ModelRegistry, operation: str) -> Receipt | None:
        version = await _version_to_retire(registry, tenant, model, operation)
        moved = await registry.transition_stage(
            tenant,
            model,
            version,
            Stage.ARCHIVED,
            actor=principal,
            reason=reason,
            expected_production=version,
            operation_id=operation,
        )
        return moved.receipt

    _change(home, as_json, tenant, model, operation_id, change)


def delete(
    model: Model,
    reason: Reason,
    tenant: Tenant,
    version: Annotated[
        int | None,
        typer.Option(metavar="VERSION", help="Only this version.", parser=parse_version),
    ] = None,
    every_version: Annotated[
        bool, typer.Option("--all", help="All versions of the model.")
    ] = False,
    yes: Yes = False,
    actor: Actor = None,
    operation_id: OperationId = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Delete a version, or a whole model, that was never in production. Its history stays.

    Asks for consent at a terminal; a script passes --yes.
    """
    if (version is None) is not every_version:
        raise typer.BadParameter(
            "say what to delete: one version by --version VERSION, or all of them by --all; "
            "without a terminal also say --yes. Nothing was changed"
        )
    what = "all versions" if version is None else f"version {version}"
    require_consent(f"Delete {what} of {model}, with the files?", yes=yes)
    principal = acting_principal(actor)

    async def change(registry: ModelRegistry, operation: str) -> Receipt:
        return await registry.delete_model(
            tenant, model, version, actor=principal, reason=reason, operation_id=operation
        )

    _change(home, as_json, tenant, model, operation_id, change)


def erase(
    model: Model,
    version: VersionNumber,
    reason: Reason,
    tenant: Tenant,
    yes: Yes = False,
    actor: Actor = None,
    operation_id: OperationId = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Remove a version's files for legal reasons, also after production. Its history stays.

    The version can go nowhere any more. MLflow's LoggedModel has a copy, which the answer names.
    Asks for consent at a terminal; a script passes --yes.
    """
    require_consent(f"Erase the files of {model} version {version} for good?", yes=yes)
    principal = acting_principal(actor)

    async def change(registry: ModelRegistry, operation: str) -> Receipt:
        return await registry.erase_version(
            tenant, model, version, actor=principal, reason=reason, operation_id=operation
        )

    _change(home, as_json, tenant, model, operation_id, change)


def _change(
    home: Path | None,
    as_json: bool,
    tenant: str,
    model: str,
    operation_id: str | None,
    change: Callable[[ModelRegistry, str], Coroutine[Any, Any, Receipt | None]],
) -> None:
    """Make the change and print its ledger entry: for a repetition, that of the first call."""
    with repeatable(operation_id) as operation:
        receipt = with_registry(home, lambda registry: change(registry, operation))
    assert receipt is not None, "a write returns its receipt"
    current = receipt.current
    document = {
        "entry": receipt.entry.document(),
        "replayed": receipt.replayed,
        "current": current.document() if current else None,
    }
    answer(as_json, document, *_message(receipt))


async def _version_to_retire(
    registry: ModelRegistry, tenant: str, model: str, operation_id: str
) -> int:
    """The version in production; for a repetition, the one that the first call retired."""
    earlier = await registry.find_operation(tenant, operation_id)
    if earlier is not None and earlier.receipt is not None and earlier.receipt.entry.moves:
        return earlier.receipt.entry.moves[0].version
    metadata = await registry.get_model(tenant, model)
    if metadata is None or metadata.production_version is None:
        raise VersionNotFound(model, "in production")
    return metadata.production_version


def _message(receipt: Receipt) -> list[Any]:
    entry, current = receipt.entry, receipt.current
    lines: list[Any] = [
        f"{entry.model_id} version {step.version}: {move(step)}" for step in entry.moves
    ]
    if entry.forced:
        lines.append(line(f"FORCED: {'; '.join(waived(entry))}", "red"))
    for store, problem in entry.detail.get("without_verification", {}).items():
        lines.append(line(f"NOT VERIFIED: {store}: {problem}", "red"))
    if entry.kind is EntryKind.ERASED and entry.detail.get("logged_model_id"):
        lines.append(
            f"MLflow has a copy in LoggedModel {entry.detail['logged_model_id']}; delete it there."
        )
    lines.append(
        f"In production: {version_name(entry.production)}. "
        f"Entry {entry.sequence} of the ledger, by {entry.actor}."
    )
    if receipt.replayed:
        production = current.production_version if current else None
        lines.append(
            "Replayed: an earlier call with this operation id did it, and nothing was changed now. "
            f"In production now: {version_name(production)}."
        )
    return lines
