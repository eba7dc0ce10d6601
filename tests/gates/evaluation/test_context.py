"""The reads of a gate before it judges, and the actors that it refuses."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from support.model_fixture import ModelFixture

from model_lifecycle.gates.evaluation.validation import validate_version
from model_lifecycle.gates.policy.promotion import Comparison, ValidationPolicy
from model_lifecycle.registry.domain.authorization import Principal, Role
from model_lifecycle.registry.domain.errors import (
    InvalidInput,
    ModelNotFound,
    OperationConflict,
    PermissionDenied,
    RegistryError,
    VersionNotFound,
)


async def test_same_evidence_id(
    world: ModelFixture, champion: int, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """The same evidence id gives what was recorded, whatever the data say now."""
    version = await world.register("good")
    data = world.held_out(make_requests(2000, 5))
    first = await world.validate(version, data, evidence_id="run:1+2 x")
    again = await world.validate(version, "/nowhere.parquet", evidence_id="run:1+2 x")

    assert first == again
    assert len(await world.registry.list_evidence(world.tenant, world.model, version)) == 1


async def test_evidence_id_of_another_gate(
    world: ModelFixture, champion: int, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """An evidence id used for one gate is refused for another."""

    version = await world.register("good")
    await world.validate(version, world.held_out(make_requests(2000, 5)), evidence_id="e1")

    with pytest.raises(OperationConflict):
        await world.shadow_test(version, "2024-03-01", "2024-03-02", evidence_id="e1")


async def test_who_may(
    world: ModelFixture, champion: int, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """Only a gatekeeper's verdict is recorded, and nobody else's is even made."""
    version = await world.register("good")
    viewer = Principal("someone", frozenset({Role.VIEWER}))

    with pytest.raises(PermissionDenied):
        await world.validate(version, "/nowhere.parquet", actor=viewer)


@pytest.mark.parametrize(
    ("model", "version", "error"),
    [("nothing", 1, ModelNotFound), (None, 99, VersionNotFound), (None, 1, InvalidInput)],
)
async def test_what_is_not_there(
    world: ModelFixture, champion: int, model: str | None, version: int, error: type[RegistryError]
) -> None:
    """Unknown models and versions are not found; the champion is no candidate."""
    with pytest.raises(error):
        await validate_version(
            world.registry, world.tenant, model or world.model, version, data="x", actor="tests"
        )


async def test_policy_for_another_kind_of_model(
    world: ModelFixture, champion: int, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """A measure of regression asked of a classifier is refused."""
    version = await world.register("good")
    await world.policy(ValidationPolicy(comparisons=(Comparison("absolute_error", 1.0),)))

    with pytest.raises(InvalidInput, match="regression"):
        await world.validate(version, world.held_out(make_requests(500, 5)))


async def test_no_policy(world: ModelFixture, make_requests: Callable[..., pd.DataFrame]) -> None:
    """A model without a policy has nothing to be judged by."""
    version = await world.register("good")

    with pytest.raises(RegistryError, match="policy"):
        await world.validate(version, world.held_out(make_requests(500, 5)))
