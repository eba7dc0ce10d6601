"""Conditions on the versions of a model, for sensors and their triggers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.stages import parse_stage

if TYPE_CHECKING:
    from model_lifecycle.registry.domain.models import VersionMetadata


def in_stage(
    versions: Iterable[VersionMetadata], version: int | None, stage: str
) -> dict[str, Any] | None:
    """The version in the stage, as ``{"version": …, "stage": …}``; the newest of several.

    None as long as there is none. Raises :class:`InvalidInput` for a stage that does not exist.
    """
    target = parse_stage(stage)
    there = [
        item.version
        for item in versions
        if item.stage is target and version in (None, item.version)
    ]
    return {"version": max(there), "stage": target.value} if there else None


def newer_than(versions: Iterable[VersionMetadata], after: int) -> dict[str, Any] | None:
    """The newest version above ``after``, with the numbers of all of them; None if there is
    none."""
    newer = [item for item in versions if item.version > after]
    if not newer:
        return None
    newest = max(newer, key=lambda item: item.version)
    return {
        "version": newest.version,
        "versions": sorted(item.version for item in newer),
        "stage": newest.stage.value,
        "bundle_digest": newest.bundle_digest,
        "created_by": newest.created_by,
    }
