"""Finding the entry of what another task did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_lifecycle.registry.domain.errors import NotFound

if TYPE_CHECKING:
    from model_lifecycle.registry.domain.models import LedgerEntry
    from model_lifecycle.registry.domain.stages import Stage
    from model_lifecycle.registry.model_registry import ModelRegistry


async def find_entry_into(
    registry: ModelRegistry, tenant_id: str, model_id: str, version: int, stage: Stage
) -> LedgerEntry | None:
    """The newest entry that brought the version to the stage; None if it never was there."""
    for entry in reversed(await _history(registry, tenant_id, model_id)):
        if any(move.version == version and move.target is stage for move in entry.moves):
            return entry
    return None


async def _history(registry: ModelRegistry, tenant_id: str, model_id: str) -> list[LedgerEntry]:
    try:
        return await registry.history(tenant_id, model_id)
    except NotFound:
        return []
