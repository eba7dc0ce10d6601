"""Promotion: proof inside the write, one production version, the old one archived."""

from __future__ import annotations

import time
from scenery.world import World


async def test_promotion_archives_the_version_it_replaces(world: World, model_id: str) -> None:
    """Exactly one version is in production, and the one before is kept."""
    t = time.perf_counter()
    first = await world.promoted(model_id)
    print("first", time.perf_counter() - t)
    t = time.perf_counter()
    second = await world.promoted(model_id, source=1)
    print("second", time.perf_counter() - t)

    assert await world.stages(model_id) == {first: "archived", second: "production"}
