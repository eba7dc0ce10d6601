"""``verify``: whether ledger and files are still what was written."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from model_lifecycle.registry.domain.authorization import Action, require
from model_lifecycle.registry.domain.errors import BundleCorrupt, LedgerCorrupt, ModelNotFound

from ..context import acting_principal, with_registry
from ..exit_codes import ExitCode
from ..options import AllTenants, AnyTenant, AsJson, Home
from ..output import answer, line
from ..rendering.table import Column, ResponsiveTable

if TYPE_CHECKING:
    from model_lifecycle.registry.model_registry import ModelRegistry

_ROW_REMOVED = "the ledger has entries of this model, but the table of models has lost it"


@dataclass(frozen=True)
class CheckedModel:
    """One model after its check: ``entries`` and ``bundles`` that are intact, how many of its
    entries are ``anchored`` outside of the database, the stores that could not be compared
    (``unavailable``), and every damage in words."""

    tenant_id: str
    model_id: str
    entries: int
    bundles: int
    damage: tuple[str, ...]
    anchored: int = 0
    unavailable: tuple[str, ...] = ()

    def state(self) -> str:
        """The sentence about an undamaged model."""
        notes = [f"not compared with {name}, which does not answer" for name in self.unavailable]
        if self.anchored < self.entries:
            notes.append(
                f"entries {self.anchored + 1} to {self.entries} are not anchored yet"
                if self.anchored + 1 < self.entries
                else f"entry {self.entries} is not anchored yet"
            )
        return "; ".join(["intact", *notes])


@dataclass(frozen=True)
class CheckedTree:
    """A tenant's Merkle tree after its check: ``entries`` that are in it, and its damage."""

    tenant_id: str
    entries: int
    damage: tuple[str, ...]


@dataclass(frozen=True)
class CheckedKeys:
    """The API keys of a tenant after their check: ``changes`` that are intact, and damage in
    words."""

    tenant_id: str
    changes: int
    damage: tuple[str, ...]


def verify(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="One model; all models if left out.")
    ] = None,
    tenant: AnyTenant = None,
    all_tenants: AllTenants = False,
    files: Annotated[
        bool, typer.Option("--files", help="Also read the files of every version again.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Check that nobody altered the ledger: its chain, its rules, its evidence, its end.

    The end is compared with what the artifact store and MLflow have of it; entries that are not
    anchored there yet are named. Where all models of a tenant are checked, so
    are their Merkle tree and the changes of the tenant's API keys.

    Checks one model, all models of a tenant, or with --all the models of all tenants, deleted ones
    included. With --files also that the files of every version are those that were registered, in
    its bundle and where MLflow serves it from. Exit code 8 when there is damage.
    """
    if model is not None and all_tenants:
        raise typer.BadParameter("name one MODEL, or --all; not both")
    if tenant is None and not all_tenants:
        raise typer.BadParameter("say whose models: --tenant NAME, or --all for every tenant")
    if all_tenants:
        require(acting_principal(None), Action.VERIFY_ALL)
    owner = None if all_tenants else tenant

    async def check(
        registry: ModelRegistry,
    ) -> tuple[list[CheckedModel], list[CheckedTree], list[CheckedKeys]]:
        if model is not None and owner is not None:
            return [await _check(registry, owner, model, files=files)], [], []
        names = await registry.recorded_models(owner)
        tenants = dict.fromkeys(item for item, _ in names)
        with_keys = (owner,) if owner is not None else await registry.api_key_tenants()
        return (
            [await _check_recorded(registry, *item, files=files) for item in names],
            [await _check_tree(registry, item) for item in tenants],
            [await _check_keys(registry, item) for item in with_keys],
        )

    checked, trees, keys = with_registry(home, check)
    damage = [text for item in trees for text in item.damage]
    damage += [text for item in keys for text in item.damage]
    answer(
        as_json,
        {
            "tenant_id": owner,
            "models": [asdict(item) for item in checked],
            "trees": [asdict(item) for item in trees],
            "api_keys": [asdict(item) for item in keys],
        },
        _view(checked, files=files, all_tenants=all_tenants) if checked else _no_models(owner),
        *(line(text, "red") for text in damage),
    )
    if damage or any(item.damage for item in checked):
        raise typer.Exit(ExitCode.DAMAGE)


async def _check_tree(registry: ModelRegistry, tenant: str) -> CheckedTree:
    try:
        return CheckedTree(tenant, await registry.verify_tree(tenant), ())
    except LedgerCorrupt as error:
        return CheckedTree(tenant, 0, (str(error),))


async def _check_keys(registry: ModelRegistry, tenant: str) -> CheckedKeys:
    try:
        return CheckedKeys(tenant, await registry.verify_api_keys(tenant), ())
    except LedgerCorrupt as error:
        return CheckedKeys(tenant, 0, (str(error),))


async def _check_recorded(
    registry: ModelRegistry, tenant: str, model: str, *, files: bool
) -> CheckedModel:
    """As :func:`_check`, for a model that the ledger has a record of: it cannot be "not found"."""
    try:
        return await _check(registry, tenant, model, files=files)
    except ModelNotFound:
        return CheckedModel(tenant, model, 0, 0, (_ROW_REMOVED,))


async def _check(registry: ModelRegistry, tenant: str, model: str, *, files: bool) -> CheckedModel:
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
    anchors = await registry.anchor_status(tenant, model)
    return CheckedModel(
        tenant,
        model,
        entries,
        bundles,
        tuple(damage),
        anchors.anchored_epoch,
        anchors.unavailable,
    )


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


def _view(checked: list[CheckedModel], *, files: bool, all_tenants: bool) -> ResponsiveTable:
    columns = (
        Column("model", wraps=True),
        Column("ledger entries"),
        Column("bundles"),
        Column("state", wraps=True),
    )
    rows = [
        (
            f"{item.tenant_id}/{item.model_id}" if all_tenants else item.model_id,
            item.entries or "",
            item.bundles if files else "",
            line("\n".join(item.damage), "red") if item.damage else line(item.state(), "green"),
        )
        for item in checked
    ]
    return ResponsiveTable(columns, rows)


def _no_models(tenant: str | None) -> str:
    return "The ledger has no models." if tenant is None else f"Tenant {tenant} has no models."
