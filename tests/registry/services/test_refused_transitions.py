"""Transitions that are refused change nothing."""

from __future__ import annotations

from typing import Any

import pytest
from support.registry_fixture import RegistryFixture

from model_lifecycle.registry.domain.authorization import Principal, Role
from model_lifecycle.registry.domain.errors import (
    InvalidInput,
    InvalidName,
    InvalidTransition,
    ModelNotFound,
    PermissionDenied,
    StaleProduction,
    VersionNotFound,
)
from model_lifecycle.registry.domain.stages import Gate, Stage


async def test_the_loser_of_a_race_has_changed_nothing(
    world: RegistryFixture, model_id: str
) -> None:
    """A caller that expected another production version gets the present one in the error."""
    first = await world.promoted(model_id)
    second = await world.staged(model_id, source=1)
    await world.judged(model_id, second)
    before = await world.snapshot(model_id)
    with pytest.raises(StaleProduction) as caught:
        await world.move(model_id, second, "production", expected_production=None)

    assert caught.value.details() == {"expected": None, "actual": first}
    assert await world.snapshot(model_id) == before


@pytest.mark.parametrize(
    "expected", ["01", "+1", "1.0", "", True, 0, -1, 1.0, float("nan"), [1], object()]
)
async def test_an_odd_expectation_is_an_error(
    local: RegistryFixture, model_id: str, expected: Any
) -> None:
    """A value that is no version, None or ANY is refused, not compared."""
    version = await local.staged(model_id)
    before = await local.snapshot(model_id)
    with pytest.raises(InvalidName):
        await local.move(model_id, version, "production", expected_production=expected)

    assert await local.snapshot(model_id) == before


ILLEGAL = {
    ("development", "production"),
    ("development", "development"),
    ("development", "archived"),
    ("staging", "staging"),
    ("staging", "archived"),
    ("production", "staging"),
    ("production", "production"),
    ("archived", "staging"),
    ("archived", "production"),
    ("archived", "archived"),
}


@pytest.mark.parametrize("force", [False, True])
async def test_every_illegal_edge_is_refused(
    local: RegistryFixture, model_id: str, force: bool
) -> None:
    """With both ends as fields, also by force, and nothing is changed."""
    archived = await local.promoted(model_id)
    versions = {
        "production": await local.promoted(model_id),
        "staging": await local.staged(model_id),
        "development": await local.version(model_id),
        "archived": archived,
    }
    before = await local.snapshot(model_id)
    refused = set()
    for source, target in ILLEGAL:
        with pytest.raises(InvalidTransition) as caught:
            await local.move(model_id, versions[source], target, reason="why", force=force)
        refused.add((str(caught.value.source), str(caught.value.target)))

    assert refused == ILLEGAL
    assert await local.snapshot(model_id) == before


@pytest.mark.parametrize("reason", ["", "  ", None, 7, "a\0b", "x" * 6000])
async def test_force_needs_a_reason(local: RegistryFixture, model_id: str, reason: Any) -> None:
    """One that can be kept and read."""
    version = await local.version(model_id)
    before = await local.snapshot(model_id)
    with pytest.raises(InvalidInput) as caught:
        await local.move(model_id, version, "staging", force=True, reason=reason)

    assert caught.value.field == "reason"
    assert await local.snapshot(model_id) == before


@pytest.mark.parametrize("reason", [None, 7, "a\0b", "\ud800", "x" * 6000])
async def test_a_reason_that_cannot_be_kept_is_refused(
    world: RegistryFixture, model_id: str, reason: Any
) -> None:
    """On every database alike, before anything is changed."""
    version = await world.version(model_id)
    await world.judged(model_id, version, Gate.VALIDATION)
    before = await world.snapshot(model_id)
    with pytest.raises(InvalidInput) as caught:
        await world.move(model_id, version, "staging", reason=reason)

    assert caught.value.field == "reason"
    assert await world.snapshot(model_id) == before


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.PROMOTER, Role.ADMIN)])
async def test_only_promoters_move_versions(
    local: RegistryFixture, model_id: str, role: Role
) -> None:
    """Other roles are refused, and so is force to a promoter."""
    version = await local.version(model_id)
    await local.judged(model_id, version, Gate.VALIDATION)
    before = await local.snapshot(model_id)
    promoter = Principal("pat", frozenset({Role.PROMOTER}))
    with pytest.raises(PermissionDenied):
        await local.move(model_id, version, "staging", actor=Principal("eve", frozenset({role})))
    with pytest.raises(PermissionDenied):
        await local.move(model_id, version, "staging", actor=promoter, force=True, reason="why")

    assert await local.snapshot(model_id) == before
    assert (await local.move(model_id, version, "staging", actor=promoter)).stage is Stage.STAGING


@pytest.mark.parametrize("source", ["staging", "archived"])
async def test_back_to_development_needs_a_reason(
    local: RegistryFixture, model_id: str, source: str
) -> None:
    """A version can be taken back to the start, with a reason."""
    version = await (local.staged if source == "staging" else local.promoted)(model_id)
    if source == "archived":
        await local.move(model_id, version, "archived", reason="out of season")
    with pytest.raises(InvalidInput, match="needs a reason"):
        await local.move(model_id, version, "development")
    await local.move(model_id, version, "development", reason="again")

    assert await local.stages(model_id) == {version: "development"}


async def test_what_is_not_there_cannot_move(world: RegistryFixture, model_id: str) -> None:
    """An unknown model, an unknown version and a deleted one are not found."""
    with pytest.raises(ModelNotFound):
        await world.move(model_id, 1, "staging")
    version = await world.version(model_id)
    with pytest.raises(VersionNotFound):
        await world.move(model_id, version + 1, "staging")
    await world.registry.delete_model(
        world.tenant, model_id, version, actor="kim", reason="a mistake"
    )
    with pytest.raises(VersionNotFound):
        await world.move(model_id, version, "staging")


@pytest.mark.parametrize("stage", ["deleted", "prod", "", None, "production\n"])
async def test_odd_stages_are_refused(local: RegistryFixture, model_id: str, stage: Any) -> None:
    """Before anything is looked at."""
    with pytest.raises(InvalidInput) as caught:
        await local.move(model_id, 1, stage)

    assert caught.value.field == "stage"


@pytest.mark.parametrize("version", [0, -1, "01", "+1", "1.0", "", 1.0, None, True, 2**31])
async def test_odd_versions_are_refused(
    local: RegistryFixture, model_id: str, version: Any
) -> None:
    """A version is a whole number, or the text of one as it is written."""
    with pytest.raises(InvalidName):
        await local.move(model_id, version, "staging")
