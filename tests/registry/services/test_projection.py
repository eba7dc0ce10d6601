"""The writes to MLflow after a change: what it changed, no less and no more."""

from __future__ import annotations

from typing import Any

import pytest
from support.registry_fixture import RegistryFixture

from model_lifecycle.registry.services.projection.plan import ProjectionPlan, mirror_change


class RecordedWrites:
    """Keeps what the registry has MLflow told of each change."""

    def __init__(self, world: RegistryFixture, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mirrorings: list[ProjectionPlan] = []
        apply_change = world.registry._transitions._projection.apply_change

        async def keeping(tenant: Any, model: Any, change: Any, *records: Any) -> None:
            self.mirrorings.append(mirror_change(change))
            await apply_change(tenant, model, change, *records)

        monkeypatch.setattr(world.registry._transitions._projection, "apply_change", keeping)


async def test_a_promotion_tells_three_things(
    local: RegistryFixture, model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alias, and the stage of both versions; the model's tags say production already."""
    await local.promoted(model_id)
    await local.staged(model_id)
    await local.judged(model_id, 2)
    writes = RecordedWrites(local, monkeypatch)
    await local.move(model_id, 2, "production")

    assert writes.mirrorings == [
        ProjectionPlan(
            epoch=len(await local.history(model_id)),
            production=2,
            alias=True,
            version_tags={
                1: {"lifecycle.stage": "archived"},
                2: {"lifecycle.stage": "production"},
            },
            model_tags={},
            deleted=(),
        )
    ]


async def test_a_step_that_leaves_production_alone_leaves_the_alias_alone(
    local: RegistryFixture, model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registration tells all about its version; a step to staging its stage, and the model's
    where that is its current version; a deletion that the version goes."""
    writes = RecordedWrites(local, monkeypatch)
    await local.staged(model_id)
    await local.registry.delete_model(local.tenant, model_id, 1, actor="kim", reason="unused")
    made, staged, deleted = writes.mirrorings

    assert sorted(made.version_tags[1]) == [
        "framework",
        "lifecycle.bundle_digest",
        "lifecycle.stage",
    ]
    assert made.model_tags == {"stage": "development", "framework": "sklearn"}
    assert staged.version_tags == {1: {"lifecycle.stage": "staging"}}
    assert staged.model_tags == {"stage": "staging"}
    assert (deleted.version_tags, deleted.model_tags, deleted.deleted) == ({}, {}, (1,))
    assert [item.alias for item in writes.mirrorings] == [False] * 3


async def test_a_retirement_takes_the_alias_away(
    local: RegistryFixture, model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It points to no version then."""
    await local.promoted(model_id)
    writes = RecordedWrites(local, monkeypatch)
    await local.move(model_id, 1, "archived", reason="no flights")

    assert [(item.alias, item.production) for item in writes.mirrorings] == [(True, None)]
    assert writes.mirrorings[0].model_tags == {"stage": "archived"}
