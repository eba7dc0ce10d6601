"""Rollback: one operation, its target verified first."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture

from model_lifecycle.registry.domain.authorization import Principal, Role
from model_lifecycle.registry.domain.errors import (
    BundleCorrupt,
    InvalidInput,
    InvalidName,
    InvalidTransition,
    ModelNotFound,
    NoEarlierProduction,
    PermissionDenied,
    StaleProduction,
    VersionNotFound,
)
from model_lifecycle.registry.domain.models import EntryKind


async def _three(world: RegistryFixture, model_id: str) -> tuple[int, int, int]:
    """Three versions, promoted one after the other."""
    first = await world.promoted(model_id)
    second = await world.promoted(model_id, source=1)
    return first, second, await world.promoted(model_id)


async def test_the_previous_version_is_back(
    world: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """The present version goes to development, and the one before is in production again."""
    first, second, third = await _three(world, model_id)
    answer = await world.roll_back(model_id, reason="late flights", operation_id=f"{model_id}/undo")
    entry = (await world.history(model_id))[-1]
    projected = by_hand.get_registered_model(f"{world.tenant}.{model_id}")

    assert answer.production_version == second
    assert await world.stages(model_id) == {
        first: "archived",
        second: "production",
        third: "development",
    }
    assert (entry.kind, entry.reason, entry.operation_id) == (
        EntryKind.ROLLED_BACK,
        "late flights",
        f"{model_id}/undo",
    )
    assert (entry.production, entry.previous_production) == (second, third)
    assert {name: int(version) for name, version in projected.aliases.items()} == {
        "production": second
    }


async def test_rolling_back_again_goes_further_back(world: RegistryFixture, model_id: str) -> None:
    """Each rollback takes the most recent of those that are left; in the end there is none."""
    first, second, _ = await _three(world, model_id)
    steps = [(await world.roll_back(model_id)).production_version for _ in range(2)]
    before = await world.snapshot(model_id)
    with pytest.raises(NoEarlierProduction):
        await world.roll_back(model_id)

    assert steps == [second, first]
    assert await world.snapshot(model_id) == before


async def test_an_earlier_version_can_be_named(world: RegistryFixture, model_id: str) -> None:
    """Any archived version that was in production can be the target."""
    first, second, third = await _three(world, model_id)
    await world.roll_back(model_id, to_version=first)

    assert await world.stages(model_id) == {
        first: "production",
        second: "archived",
        third: "development",
    }


async def test_a_retired_version_comes_back_by_its_number(
    world: RegistryFixture, model_id: str
) -> None:
    """It was retired for a reason, so no default chooses it, and the error lists it."""
    version = await world.promoted(model_id)
    await world.move(model_id, version, "archived", reason="out of season")
    with pytest.raises(NoEarlierProduction) as caught:
        await world.roll_back(model_id)
    assert caught.value.details() == {"candidates": [version]}
    answer = await world.roll_back(
        model_id, to_version=version, reason="the season is back", expected_production=None
    )

    assert answer.production_version == version
    assert [len(entry.moves) for entry in await world.history(model_id)][-1] == 1


async def test_a_flipped_byte_refuses_the_rollback(world: RegistryFixture, model_id: str) -> None:
    """The file is named, and production is untouched."""
    first = await world.promoted(model_id)
    await world.promoted(model_id, source=1)
    path = f"{world.tenant}/models/{model_id}/{first}/model.skops"
    data = bytearray(await world.registry.artifacts.get_bytes(path))
    data[len(data) // 2] ^= 1
    await world.registry.artifacts.put_bytes(path, bytes(data))
    before = await world.snapshot(model_id)
    with pytest.raises(BundleCorrupt, match=r"model\.skops is different") as caught:
        await world.roll_back(model_id)

    assert caught.value.version == first
    assert await world.snapshot(model_id) == before


@pytest.mark.parametrize("change", ["missing", "added", "manifest"])
async def test_any_other_damage_refuses_it_too(
    local: RegistryFixture, model_id: str, change: str
) -> None:
    """A file that is gone or new, and a manifest of other content."""
    first = await local.promoted(model_id)
    await local.promoted(model_id)
    folder = f"{local.tenant}/models/{model_id}/{first}"
    artifacts = local.registry.artifacts
    match change:
        case "missing":
            await artifacts.delete_file(f"{folder}/MLmodel")
        case "added":
            await artifacts.put_bytes(f"{folder}/evil.py", b"import os")
        case "manifest":
            await artifacts.put_bytes(f"{folder}/manifest.json", b"{}")
    before = await local.snapshot(model_id)
    with pytest.raises(BundleCorrupt):
        await local.roll_back(model_id)

    assert await local.snapshot(model_id) == before


async def test_targets_that_were_never_in_production(world: RegistryFixture, model_id: str) -> None:
    """A version in development, staging or production is no target; an unknown one not found."""
    production = await world.promoted(model_id)
    staging = await world.staged(model_id, source=1)
    development = await world.version(model_id)
    before = await world.snapshot(model_id)
    for target in (production, staging, development):
        with pytest.raises(InvalidTransition):
            await world.roll_back(model_id, to_version=target)
    with pytest.raises(VersionNotFound):
        await world.roll_back(model_id, to_version=99)

    assert await world.snapshot(model_id) == before


async def test_a_model_that_was_never_in_production(local: RegistryFixture, model_id: str) -> None:
    """There is nothing to roll back to, and an unknown model is not found."""
    with pytest.raises(ModelNotFound):
        await local.roll_back(model_id)
    await local.staged(model_id)
    with pytest.raises(NoEarlierProduction):
        await local.roll_back(model_id)


@pytest.mark.parametrize("reason", ["", " \n", None, 5, "\0", "x" * 6000])
async def test_a_rollback_needs_a_reason(
    local: RegistryFixture, model_id: str, reason: Any
) -> None:
    """Refused before anything is looked at."""
    with pytest.raises(InvalidInput) as caught:
        await local.roll_back(model_id, reason=reason)

    assert caught.value.field == "reason"


@pytest.mark.parametrize("version", [0, -1, "01", "+1", "1.0", "", True, 1.5])
async def test_odd_targets_are_refused(local: RegistryFixture, model_id: str, version: Any) -> None:
    """Zero is a version that cannot be, not "no version"."""
    with pytest.raises(InvalidName):
        await local.roll_back(model_id, to_version=version)


async def test_targets_and_expectations_may_be_text(local: RegistryFixture, model_id: str) -> None:
    """As a template or a URL has them."""
    first = await local.promoted(model_id)
    second = await local.promoted(model_id)
    with pytest.raises(StaleProduction):
        await local.roll_back(model_id, to_version=str(first), expected_production=str(first))
    await local.roll_back(model_id, to_version=str(first), expected_production=str(second))

    assert (await local.stages(model_id))[first] == "production"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.CONTRIBUTOR, Role.GATEKEEPER])
async def test_only_promoters_roll_back(local: RegistryFixture, model_id: str, role: Role) -> None:
    """Other roles are refused."""
    with pytest.raises(PermissionDenied, match="roll back"):
        await local.roll_back(model_id, actor=Principal("eve", frozenset({role})))


async def test_what_was_rolled_back_can_be_promoted_again(
    world: RegistryFixture, model_id: str
) -> None:
    """It starts over, and needs new proof against what is in production now."""
    first = await world.promoted(model_id)
    second = await world.promoted(model_id, source=1)
    await world.roll_back(model_id)
    await world.judged(model_id, second, "validation")
    await world.move(model_id, second, "staging")
    await world.judged(model_id, second)
    await world.move(model_id, second, "production")

    assert await world.stages(model_id) == {first: "archived", second: "production"}
    assert await world.registry.verify_ledger(world.tenant, model_id) == len(
        await world.history(model_id)
    )


async def test_of_two_rollbacks_of_one_version_one_is_refused(
    world: RegistryFixture, model_id: str
) -> None:
    """Both saw version 3 and press the button: production goes back once, and the second hears
    what is there now."""
    first, second, third = await _three(world, model_id)
    await world.roll_back(model_id, expected_production=third, actor="kim")
    before = await world.snapshot(model_id)
    with pytest.raises(StaleProduction) as caught:
        await world.roll_back(model_id, expected_production=third, actor="lee")

    assert caught.value.details() == {"expected": third, "actual": second}
    assert await world.snapshot(model_id) == before
    assert await world.stages(model_id) == {
        first: "archived",
        second: "production",
        third: "development",
    }


async def test_two_rollbacks_at_once_go_back_once(world: RegistryFixture, model_id: str) -> None:
    """The same, where the second does not wait for the first."""
    _, second, third = await _three(world, model_id)
    outcomes = await asyncio.gather(
        *(world.roll_back(model_id, expected_production=third, actor=name) for name in "ab"),
        return_exceptions=True,
    )

    assert sorted(type(item).__name__ for item in outcomes) == ["ModelMetadata", "StaleProduction"]
    assert (await world.stages(model_id))[second] == "production"


@pytest.mark.parametrize("expected", ["01", "+1", "1.0", "", 0, True, 1.0])
async def test_odd_expectations_are_refused(
    local: RegistryFixture, model_id: str, expected: Any
) -> None:
    """As in a promotion."""
    with pytest.raises(InvalidName):
        await local.roll_back(model_id, expected_production=expected)


async def test_a_version_retired_for_cause_is_no_default(
    world: RegistryFixture, model_id: str
) -> None:
    """The one before it is, which another version superseded."""
    good = await world.promoted(model_id)
    bad = await world.promoted(model_id, source=1)
    await world.move(model_id, bad, "archived", reason="trained on data we must not use")
    await world.promoted(model_id)
    answer = await world.roll_back(model_id)

    assert answer.production_version == good
