"""Whether a model has a version in a stage: what sensor and trigger both ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.rules.errors import NotFound
from model_lifecycle.registry.rules.stages import parse_stage

if TYPE_CHECKING:
    from model_lifecycle.registry.model_registry import ModelRegistry


async def reached(
    registry: ModelRegistry, tenant_id: str, model_id: str, version: int | None, stage: str
) -> dict[str, Any] | None:
    """The version in the stage, as ``{"version": …, "stage": …}``; the newest of several.

    None as long as there is none, also where the model does not exist yet.
    """
    wanted = parse_stage(stage)
    try:
        versions = await registry.list_versions(tenant_id, model_id)
    except NotFound:
        return None
    there = [
        item.version
        for item in versions
        if item.stage is wanted and version in (None, item.version)
    ]
    return {"version": max(there), "stage": wanted.value} if there else None
