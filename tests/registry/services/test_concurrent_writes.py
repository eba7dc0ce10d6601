"""Different operations on one model at the same moment: one wins, and nothing dangles."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from stress.crash.invariants import broken
from support.registry_fixture import RegistryFixture

from model_lifecycle.registry.domain.errors import Conflict, RegistryError
from model_lifecycle.registry.domain.stages import Stage

ROUNDS = [
    pytest.param(3, id="some"),
    pytest.param(40, id="many", marks=[pytest.mark.stress, pytest.mark.timeout(1800)]),
]


async def _at_once(*calls: Any) -> tuple[list[Any], list[BaseException]]:
    """The results of the calls, and their errors."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    raised = [item for item in outcomes if isinstance(item, BaseException)]
    return [item for item in outcomes if not isinstance(item, BaseException)], raised


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_promotion_against_deletion(
    world: RegistryFixture, model_id: str, rounds: int
) -> None:
    """The version ends in production, or deleted; the other call is refused and has changed
    nothing; no alias points to a version that is gone."""
    await world.promoted(model_id)
    for turn in range(rounds):
        version = await world.staged(model_id, source=turn % 2)
        await world.judged(model_id, version)
        before = len(await world.history(model_id))
        calls = [
            world.move(model_id, version, "production"),
            world.registry.delete_model(
                world.tenant, model_id, version, actor="kim", reason="not needed"
            ),
        ]
        done, raised = await _at_once(*(calls if turn % 2 else reversed(calls)))
        stages = await world.stages(model_id)

        assert (len(done), len(raised)) == (1, 1)
        assert isinstance(raised[0], RegistryError)
        assert stages.get(version) in (None, "production")
        assert list(stages.values()).count("production") == 1
        assert len(await world.history(model_id)) == before + 1
        assert await broken(world.registry, world.tenant, model_id) == []


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_rollback_against_promotion(
    world: RegistryFixture, model_id: str, rounds: int
) -> None:
    """The losing writer is refused. MLflow shows the result of the other."""
    previous = await world.promoted(model_id)
    for turn in range(rounds):
        production = await world.promoted(model_id, source=turn % 2)
        version = await world.staged(model_id)
        await world.judged(model_id, version)
        before = len(await world.history(model_id))
        calls = [
            world.move(model_id, version, "production", expected_production=production),
            world.roll_back(model_id),
        ]
        done, raised = await _at_once(*(calls if turn % 2 else reversed(calls)))
        stages = await world.stages(model_id)
        kinds = [entry.kind.value for entry in (await world.history(model_id))[before:]]

        assert [type(item) for item in raised if not isinstance(item, Conflict)] == []
        assert len(kinds) == len(done)
        # The last: a rollback that began after the promotion, and undoes it.
        outcome = {
            ("moved",): {previous: "archived", production: "archived", version: "production"},
            ("rolled_back",): {
                previous: "production",
                production: "development",
                version: "staging",
            },
            ("moved", "rolled_back"): {
                previous: "archived",
                production: "production",
                version: "development",
            },
        }[tuple(kinds)]
        assert {number: stages[number] for number in outcome} == outcome
        assert list(stages.values()).count("production") == 1
        assert await broken(world.registry, world.tenant, model_id) == []
        previous = next(n for n, stage in stages.items() if stage == "production")


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_registration_against_registration(
    world: RegistryFixture, model_id: str, rounds: int
) -> None:
    """On a model that is not there yet, two make a version each, of one model.

    Numbers may be left out: one that was guessed wrong is given back, and MLflow counts on.
    """
    for turn in range(rounds):
        name = f"{model_id}-{turn}"
        done, raised = await _at_once(world.version(name, 0), world.version(name, 1))
        stages = await world.stages(name)

        assert raised == []
        assert len(set(done)) == 2
        assert sorted(done) == sorted(stages)
        assert set(stages.values()) == {Stage.DEVELOPMENT.value}
        assert await world.registry.verify_ledger(world.tenant, name) == 2
        assert await broken(world.registry, world.tenant, name) == []
