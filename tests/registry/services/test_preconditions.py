"""Writes that name the state of the model they are about: compared inside the write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture, new_name

from model_lifecycle.registry.domain.errors import InvalidInput, ModelNotFound, StaleModel

Write = Callable[..., Awaitable[Any]]


async def _move(world: RegistryFixture, model_id: str, **fields: Any) -> Any:
    return await world.move(model_id, 3, "development", reason="drill", **fields)


async def _roll_back(world: RegistryFixture, model_id: str, **fields: Any) -> Any:
    return await world.roll_back(model_id, **fields)


async def _set_policy(world: RegistryFixture, model_id: str, **fields: Any) -> Any:
    policy = fields.pop("policy", {"require_approval": True})
    return await world.registry.set_policy(
        world.tenant, model_id, policy, actor=world.actor, reason="audit", **fields
    )


async def _delete(world: RegistryFixture, model_id: str, **fields: Any) -> Any:
    return await world.registry.delete_model(
        world.tenant, model_id, 3, actor=world.actor, reason="drill", **fields
    )


WRITES: dict[str, Write] = {
    "transition_stage": _move,
    "rollback": _roll_back,
    "set_policy": _set_policy,
    "delete_model": _delete,
}


async def _settled(world: RegistryFixture, model_id: str) -> int:
    """Version 1 archived, 2 in production, 3 in staging; the model's epoch."""
    await world.promoted(model_id)
    await world.promoted(model_id)
    await world.staged(model_id)
    return await _epoch(world, model_id)


async def _epoch(world: RegistryFixture, model_id: str) -> int:
    model = await world.registry.get_model(world.tenant, model_id)
    assert model is not None
    return model.epoch


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_on_a_state_that_is_past_changes_nothing(
    local: RegistryFixture, model_id: str, name: str
) -> None:
    """The error has the current epoch; with that one the write succeeds."""
    epoch = await _settled(local, model_id)
    before = await local.snapshot(model_id)
    with pytest.raises(StaleModel) as caught:
        await WRITES[name](local, model_id, expected_epoch=epoch - 1)
    after = await local.snapshot(model_id)
    await WRITES[name](local, model_id, expected_epoch={epoch - 1, epoch})

    assert caught.value.details() == {"model_id": model_id, "epoch": epoch}
    assert after == before
    assert await _epoch(local, model_id) == epoch + 1


@pytest.mark.parametrize("name", WRITES)
async def test_no_epoch_that_will_do_is_a_refusal(
    local: RegistryFixture, model_id: str, name: str
) -> None:
    """An empty set matches nothing; a model that is not there is still not found."""
    await _settled(local, model_id)
    with pytest.raises(StaleModel):
        await WRITES[name](local, model_id, expected_epoch=frozenset())
    with pytest.raises(ModelNotFound):
        await WRITES[name](local, new_name(), expected_epoch=frozenset())


@pytest.mark.parametrize("name", WRITES)
async def test_a_repetition_is_answered_although_the_model_went_on(
    local: RegistryFixture, model_id: str, name: str
) -> None:
    """The first call changed the state that it names, so a repetition cannot meet it again."""
    fields = {"expected_epoch": await _settled(local, model_id), "operation_id": new_name("again")}
    first = await WRITES[name](local, model_id, **fields)
    epoch = await _epoch(local, model_id)

    assert await WRITES[name](local, model_id, **fields) == first
    assert await _epoch(local, model_id) == epoch


async def test_of_writers_who_saw_one_state_one_wins(world: RegistryFixture, model_id: str) -> None:
    """All others get StaleModel; the ledger has one entry more."""
    await world.version(model_id)
    epoch = await _epoch(world, model_id)
    ends = await asyncio.gather(
        *(
            _set_policy(
                world, model_id, policy={"evidence_max_age_days": day}, expected_epoch=epoch
            )
            for day in range(1, 9)
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(end, StaleModel) for end in ends) == 7
    assert await _epoch(world, model_id) == epoch + 1


@pytest.mark.parametrize("odd", ["1", None, True, 1.0, -1, [True], ["1"], [-1], object()])
async def test_an_odd_expectation_is_an_error(
    local: RegistryFixture, model_id: str, odd: Any
) -> None:
    """A value that is no epoch and no list of epochs is refused, not compared."""
    with pytest.raises(InvalidInput) as caught:
        await _set_policy(local, model_id, expected_epoch=odd)

    assert caught.value.field == "expected_epoch"
