"""``verify``: whether ledger and files are still what was written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from model_lifecycle.registry.domain.errors import BundleCorrupt, LedgerCorrupt, ModelNotFound

from ..context import ask
from ..exit_codes import ExitCode
from ..options import AsJson, Home, Tenant
from ..output import answer, line
from ..rendering.table import Column, Sheet

if TYPE_CHECKING:
    from model_lifecycle.registry.model_registry import ModelRegistry

_PAGE = 500


@dataclass(frozen=True)
class Checked:
    """One model after its check: ``entries`` and ``bundles`` that were found intact, and every
    damage in words."""

    model_id: str
    entries: int
    bundles: int
    damage: tuple[str, ...]


def verify(
    tenant: Tenant,
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="The model.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All models of the tenant.")] = False,
    files: Annotated[
        bool, typer.Option("--files", help="Also read the files of every version again.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Check that nobody altered the ledger: its chain, its evidence, and what it adds up to.

    With --files also that the files of every version are those that were registered, in its
    bundle and where MLflow serves it from. Exit code 8 when there is damage.
    """
    if (model is None) is not everything:
        raise typer.BadParameter("say what to verify: one MODEL, or --all")

    async def check(registry: ModelRegistry) -> list[Checked]:
        return [
            await _checked(registry, tenant, name, files=files)
            async for name in _names(registry, tenant, model)
        ]

    found = ask(home, check)
    answer(
        as_json,
        {"tenant_id": tenant, "models": [asdict(item) for item in found]},
        _view(found, files=files) if found else f"Tenant {tenant} has no models.",
    )
    if any(item.damage for item in found):
        raise typer.Exit(ExitCode.DAMAGE)


async def _names(registry: ModelRegistry, tenant: str, model: str | None) -> AsyncIterator[str]:
    if model is not None:
        yield model
        return
    after = None
    while page := await registry.list_models(tenant, limit=_PAGE, after=after):
        for item in page:
            yield item.model_id
        after = page[-1].model_id


async def _checked(registry: ModelRegistry, tenant: str, model: str, *, files: bool) -> Checked:
    damage = []
    entries = bundles = 0
    try:
        entries = await registry.verify_ledger(tenant, model)
    except LedgerCorrupt as error:
        damage.append(str(error))
    for problem in await _bundle_problems(registry, tenant, model) if files else ():
        if problem is None:
            bundles += 1
        else:
            damage.append(problem)
    return Checked(model, entries, bundles, tuple(damage))


async def _bundle_problems(registry: ModelRegistry, tenant: str, model: str) -> list[str | None]:
    """For each version what is wrong with its files, or None."""
    try:
        versions = await registry.list_versions(tenant, model)
    except ModelNotFound:  # all of its versions were deleted
        return []
    problems: list[str | None] = []
    for item in versions:
        try:
            await registry.verify_files(tenant, model, item.version)
        except BundleCorrupt as error:
            problems.append(str(error))
        else:
            problems.append(None)
    return problems


def _view(found: list[Checked], *, files: bool) -> Sheet:
    columns = (
        Column("model"),
        Column("ledger entries"),
        Column("bundles"),
        Column("state", wraps=True),
    )
    rows = [
        (
            item.model_id,
            item.entries or "",
            item.bundles if files else "",
            line("\n".join(item.damage), "red") if item.damage else line("intact", "green"),
        )
        for item in found
    ]
    return Sheet(columns, rows)
