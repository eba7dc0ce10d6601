"""Production goes back to development: a rollback, after which old proof no longer counts."""

from __future__ import annotations

from typing import Any

import pytest
from support.registry_fixture import RegistryFixture

from model_lifecycle.registry.domain.errors import (
    GateRefused,
    InvalidInput,
    StaleProduction,
)
from model_lifecycle.registry.domain.models import EntryKind
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy


async def test_moving_production_to_development_is_a_rollback(
    world: RegistryFixture, model_id: str
) -> None:
    """With an earlier version it is the same operation, in one entry."""
    first = await world.promoted(model_id)
    second = await world.promoted(model_id, source=1)
    answer = await world.move(
        model_id, second, "development", reason="late flights", operation_id=f"{model_id}/back"
    )
    again = await world.move(
        model_id, second, "development", reason="late flights", operation_id=f"{model_id}/back"
    )
    entry = (await world.history(model_id))[-1]

    assert again == answer
    assert await world.stages(model_id) == {first: "production", second: "development"}
    assert (entry.kind, entry.production, entry.reason) == (
        EntryKind.ROLLED_BACK,
        first,
        "late flights",
    )


async def test_without_an_earlier_version_production_becomes_empty(
    world: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """The entry says why; a version that was retired for cause does not come back by itself."""
    retired = await world.promoted(model_id)
    await world.move(model_id, retired, "archived", reason="it discriminates")
    version = await world.promoted(model_id, source=1)
    answer = await world.move(model_id, version, "development", reason="wrong data")
    entry = (await world.history(model_id))[-1]

    assert answer.production_version is None
    assert await world.stages(model_id) == {retired: "archived", version: "development"}
    assert (entry.kind, entry.production, entry.reason) == (
        EntryKind.ROLLED_BACK,
        None,
        "wrong data",
    )
    assert entry.detail["no_successor"] == "no earlier version of production could take its place"
    assert by_hand.get_registered_model(f"{world.tenant}.{model_id}").aliases == {}
    assert await world.registry.verify_ledger(world.tenant, model_id) == entry.sequence


async def test_moving_production_to_development_needs_a_reason(
    local: RegistryFixture, model_id: str
) -> None:
    """As every rollback; and it is refused if another version is expected in production."""
    version = await local.promoted(model_id)
    before = await local.snapshot(model_id)
    with pytest.raises(InvalidInput, match="needs a reason"):
        await local.move(model_id, version, "development")
    with pytest.raises(StaleProduction):
        await local.move(
            model_id, version, "development", reason="why", expected_production=version + 1
        )

    assert await local.snapshot(model_id) == before


async def test_old_proof_does_not_count_after_a_rollback(
    world: RegistryFixture, model_id: str
) -> None:
    """Validation, shadow test and approval are to be repeated, one by one; readiness says so."""
    first = await world.promoted(model_id)
    await world.registry.set_policy(
        world.tenant, model_id, PromotionPolicy(require_approval=True), actor="kim"
    )
    second = await world.staged(model_id, source=1)
    await world.judged(model_id, second)
    await world.judged(model_id, second, "approval")
    await world.move(model_id, second, "production")
    await world.roll_back(model_id, reason="v2 denies every loan")
    lacking = []
    for stage, gates in (("staging", ["validation"]), ("production", ["shadow", "approval"])):
        for gate in gates:
            ready = await world.registry.readiness(world.tenant, model_id, second, stage)
            lacking.append([item.code for item in ready.missing])
            with pytest.raises(GateRefused, match="took the version back"):
                await world.move(model_id, second, stage)
            await world.judged(model_id, second, gate)
        await world.move(model_id, second, stage)

    assert lacking == [
        ["before_last_exit"],
        ["before_last_exit", "before_last_exit"],
        ["before_last_exit"],
    ]
    assert await world.stages(model_id) == {first: "archived", second: "production"}


@pytest.mark.parametrize("way", ["staging", "retired", "superseded"])
async def test_old_proof_does_not_count_after_any_return(
    local: RegistryFixture, model_id: str, way: str
) -> None:
    """From staging, from retirement, and after another version took its place."""
    version = await local.staged(model_id)
    if way != "staging":
        await local.judged(model_id, version)
        await local.move(model_id, version, "production")
    if way == "retired":
        await local.move(model_id, version, "archived", reason="out of season")
    if way == "superseded":
        await local.promoted(model_id)
    await local.move(model_id, version, "development", reason="again")
    readiness = await local.registry.readiness(local.tenant, model_id, version, "staging")

    assert [item.code for item in readiness.missing] == ["before_last_exit"]
