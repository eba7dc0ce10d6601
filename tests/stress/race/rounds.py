"""Rounds of a race: versions ready to be promoted, and what a round has left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stress.race.promoter import MODEL, TENANT, opened
from support.pages import Pages

from model_lifecycle.registry.artifacts.bundle import write_bundle
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.domain.models import LedgerEntry
from model_lifecycle.registry.domain.stages import Stage
from model_lifecycle.registry.model_registry import ModelRegistry


async def prepare(place: dict[str, Any], count: int) -> None:
    """The first version in production, all others in staging."""
    folder = Path(place["home"]) / "saved"
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {}\n")
    async with opened(place) as registry:
        pages = _pages(registry)
        for version in range(1, count + 1):
            bundle = await write_bundle(
                registry.artifacts,
                pages.tenant,
                pages.model,
                version,
                framework="sklearn",
                saved_folder=folder,
                source_path=None,
                extra={},
            )
            await pages.register(version, bundle.digest)
            await pages.move((version, Stage.DEVELOPMENT, Stage.STAGING))
        await pages.move((1, Stage.STAGING, Stage.PRODUCTION))


def _pages(registry: ModelRegistry) -> Pages:
    return Pages(registry._stores.ledger, TenantId(TENANT), ModelId(MODEL))


async def next_rivals(place: dict[str, Any]) -> tuple[list[int], int]:
    """The versions in staging, each with evidence against the present production, and that. The
    version that was replaced in the round before is taken back to staging first."""
    async with opened(place) as registry:
        pages = _pages(registry)
        stages = await pages.stages()
        for version, stage in stages.items():
            if stage is Stage.ARCHIVED:
                await pages.move((version, Stage.ARCHIVED, Stage.DEVELOPMENT))
                await pages.move((version, Stage.DEVELOPMENT, Stage.STAGING))
        production = next(v for v, stage in stages.items() if stage is Stage.PRODUCTION)
        rivals = [version for version in stages if version != production]
        for version in rivals:
            metadata = await registry.get_version(TENANT, MODEL, version)
            assert metadata is not None
            await pages.judge(version, baseline=production, digest=metadata.bundle_digest)
        return rivals, production


async def outcome(place: dict[str, Any]) -> tuple[list[LedgerEntry], dict[int, str]]:
    """The verified history, and each version's stage."""
    async with opened(place) as registry:
        entries = await registry.history(TENANT, MODEL)
        assert await registry.verify_ledger(TENANT, MODEL) == len(entries)
        versions = await registry.list_versions(TENANT, MODEL)
    return entries, {item.version: item.stage.value for item in versions}
