"""``models``, ``show``, ``evidence``: models, versions, and the verdicts on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from model_lifecycle.registry.domain.errors import ModelNotFound, VersionNotFound
from model_lifecycle.registry.domain.identifiers import parse_version
from model_lifecycle.registry.domain.models import Framework
from model_lifecycle.registry.domain.stages import LIVE_STAGES

from ..context import with_registry
from ..options import AsJson, Home, Limit, Model, Tenant, VersionNumber
from ..output import answer
from ..pages import Page
from ..rendering.catalog import evidence_view, model_view, models_view, version_view

if TYPE_CHECKING:
    from model_lifecycle.registry.domain.models import ModelMetadata, VersionMetadata
    from model_lifecycle.registry.model_registry import ModelRegistry


def models(
    tenant: Tenant,
    stage: Annotated[
        str | None, typer.Option(help=f"Only in this stage: {', '.join(LIVE_STAGES)}.")
    ] = None,
    framework: Annotated[
        str | None, typer.Option(help=f"Only of this framework: {', '.join(Framework)}.")
    ] = None,
    limit: Limit = 100,
    after: Annotated[str | None, typer.Option(help="Only names that follow this one.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the tenant's models by name, each with its current version."""
    page = Page.cut(
        with_registry(
            home,
            lambda registry: registry.list_models(
                tenant, stage, framework, limit=limit + 1, after=after
            ),
        ),
        limit,
        lambda item: item.model_id,
    )
    answer(
        as_json,
        {"models": [item.document() for item in page.items], "after": page.after},
        *models_view(page.items, tenant, filtered=bool(stage or framework or after)),
        *page.notes(),
    )


def show(
    model: Model,
    tenant: Tenant,
    version: Annotated[
        int | None,
        typer.Option(help="All about this version.", parser=parse_version, metavar="VERSION"),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show a model with its versions, or all about one version."""

    async def one(registry: ModelRegistry, number: int) -> VersionMetadata:
        metadata = await registry.get_version(tenant, model, number)
        if metadata is None:
            raise VersionNotFound(model, number)
        return metadata

    async def whole(registry: ModelRegistry) -> tuple[ModelMetadata, list[VersionMetadata]]:
        metadata = await registry.get_model(tenant, model)
        if metadata is None:
            raise ModelNotFound(model)
        return metadata, await registry.list_versions(tenant, model)

    if version is not None:
        single = with_registry(home, lambda registry: one(registry, version))
        answer(as_json, single.document(), version_view(single))
        return
    metadata, versions = with_registry(home, whole)
    document = {"model": metadata.document(), "versions": [item.document() for item in versions]}
    answer(as_json, document, *model_view(metadata, versions))


def evidence(
    model: Model,
    version: VersionNumber,
    tenant: Tenant,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the gates' verdicts on a version, oldest first, with their numbers."""
    items = with_registry(home, lambda registry: registry.list_evidence(tenant, model, version))
    document = {
        "model_id": model,
        "version": version,
        "evidence": [item.document() for item in items],
    }
    answer(as_json, document, evidence_view(items, model, version))
