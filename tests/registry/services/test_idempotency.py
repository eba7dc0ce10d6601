"""Operation ids: the same call again gives the same answer and has one effect."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture, new_name, trained

from model_lifecycle.registry.domain.authorization import Principal, Role
from model_lifecycle.registry.domain.errors import (
    Conflict,
    GateRefused,
    NoEarlierProduction,
    OperationConflict,
)
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy


def _in_mlflow(by_hand: Any, world: RegistryFixture, model_id: str) -> list[int]:
    versions = by_hand.search_model_versions(f"name = '{world.tenant}.{model_id}'")
    return sorted(int(item.version) for item in versions)


@pytest.mark.parametrize("kind", ["object", "source"])
async def test_registering_again_makes_no_second_version(
    world: RegistryFixture, by_hand: Any, model_id: str, kind: str
) -> None:
    """Neither in the ledger nor in MLflow, for an object as for a source."""

    async def register() -> Any:
        trained_model = trained()
        return await world.registry.register_model(
            world.tenant,
            model_id,
            trained_model.model if kind == "object" else world.sources[0],
            "sklearn",
            {"auc": 0.9},
            {"C": 1},
            created_by="kim",
            operation_id=f"{model_id}/register",
        )

    first, second = await register(), await register()

    assert second == first
    assert len(await world.history(model_id)) == 1
    assert _in_mlflow(by_hand, world, model_id) == [1]


async def test_registering_at_once_makes_one_version(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """Two tries of one task that run at the same time end with one version between them."""
    answers = await asyncio.gather(
        *(
            apart.registry.register_model(
                apart.tenant,
                model_id,
                apart.sources[0],
                "sklearn",
                {"auc": 0.9},
                {"C": 1},
                created_by="kim",
                operation_id=f"{model_id}/register",
            )
            for _ in range(4)
        )
    )
    versions = await apart.registry.list_versions(apart.tenant, model_id)

    assert len({answer.current_version for answer in answers}) == 1
    assert [item.version for item in versions] == _in_mlflow(by_hand, apart, model_id)
    assert len(versions) == len(await apart.history(model_id)) == 1
    assert [
        item.code
        for item in await apart.registry.reconcile(apart.tenant)
        if item.model_id == model_id
    ] == []


async def test_two_registrations_at_once_make_two_versions(
    world: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """On a new model both calls succeed, each with a version of its own."""
    await asyncio.gather(*(world.version(model_id, source) for source in (0, 1)))

    stages = await world.stages(model_id)
    assert len(stages) == 2
    assert set(stages.values()) == {"development"}
    assert sorted(stages) == _in_mlflow(by_hand, world, model_id)
    assert await world.registry.verify_ledger(world.tenant, model_id) == 2


async def test_promoting_again_gives_the_same_answer(world: RegistryFixture, model_id: str) -> None:
    """Also after somebody promoted another version since: an answer is kept as it was."""
    first = await world.staged(model_id)
    await world.judged(model_id, first)
    answer = await world.move(model_id, first, "production", operation_id=f"{model_id}/promote")
    second = await world.promoted(model_id, source=1)
    before = await world.snapshot(model_id)
    again = await world.move(model_id, first, "production", operation_id=f"{model_id}/promote")

    assert again.production_version == answer.production_version == first
    assert (again.epoch, again.stage) == (answer.epoch, answer.stage)
    assert await world.stages(model_id) == {first: "archived", second: "production"}
    assert await world.snapshot(model_id) == before


async def test_rolling_back_again_goes_no_further(world: RegistryFixture, model_id: str) -> None:
    """A retried rollback does not undo one more promotion."""
    for _ in range(3):
        await world.promoted(model_id)
    answer = await world.roll_back(model_id, operation_id=f"{model_id}/undo")
    again = await world.roll_back(model_id, operation_id=f"{model_id}/undo")

    assert again == answer
    assert await world.stages(model_id) == {1: "archived", 2: "production", 3: "development"}


async def test_deleting_again_is_no_error(world: RegistryFixture, model_id: str) -> None:
    """The second call finds that it was done, although the version is not found any more."""
    await world.version(model_id)
    for _ in range(2):
        await world.registry.delete_model(
            world.tenant,
            model_id,
            1,
            actor="kim",
            reason="a mistake",
            operation_id=f"{model_id}/delete",
        )

    assert await world.registry.get_model(world.tenant, model_id) is None
    assert len(await world.history(model_id)) == 2


async def test_setting_a_policy_again_changes_nothing(
    local: RegistryFixture, model_id: str
) -> None:
    """With the same id, and without one: the same policy is no news."""
    await local.version(model_id)
    policy = PromotionPolicy(evidence_max_age_days=7)
    for operation_id in (f"{model_id}/policy", f"{model_id}/policy", None):
        await local.registry.set_policy(
            local.tenant, model_id, policy, actor="kim", operation_id=operation_id
        )

    assert len(await local.history(model_id)) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"target_stage": "development", "reason": "why"},
        {"reason": "another"},
        {"expected_production": None},
        {"force": True, "reason": "why"},
        {"actor": "eve"},
    ],
    ids=str,
)
async def test_an_id_belongs_to_one_request(
    local: RegistryFixture, model_id: str, changes: dict[str, Any]
) -> None:
    """Another version, target, reason, expectation or actor under the same id is a conflict."""
    version = await local.version(model_id)
    await local.version(model_id)
    await local.judged(model_id, version, "validation")
    arguments: dict[str, Any] = {
        "version": version,
        "target_stage": "staging",
        "actor": "kim",
        "operation_id": f"{model_id}/task",
    }
    await local.registry.transition_stage(local.tenant, model_id, **arguments)
    before = await local.snapshot(model_id)
    with pytest.raises(OperationConflict) as caught:
        await local.registry.transition_stage(local.tenant, model_id, **{**arguments, **changes})

    assert caught.value.details() == {"operation_id": f"{model_id}/task"}
    assert await local.snapshot(model_id) == before


async def test_an_id_belongs_to_one_kind_of_call(world: RegistryFixture, model_id: str) -> None:
    """The id of a registration cannot promote, roll back, delete or set a policy, on any model."""
    await world.version(model_id, operation_id="op-" + model_id)
    before = await world.snapshot(model_id)
    used: dict[str, Any] = {"operation_id": "op-" + model_id}
    registry, tenant = world.registry, world.tenant
    for call in (
        lambda: world.move(model_id, 1, "staging", **used),
        lambda: world.roll_back(model_id, **used),
        lambda: registry.delete_model(tenant, model_id, 1, actor="kim", reason="why", **used),
        lambda: registry.set_policy(tenant, model_id, PromotionPolicy(), actor="kim", **used),
        lambda: world.version(new_name(), **used),
        lambda: world.version(model_id, 1, **used),
    ):
        with pytest.raises(OperationConflict):
            await call()

    assert await world.snapshot(model_id) == before


async def test_a_refused_call_uses_no_id_up(local: RegistryFixture, model_id: str) -> None:
    """Once what was missing is there, the very same call goes through."""
    version = await local.version(model_id)
    with pytest.raises(GateRefused):
        await local.move(model_id, version, "staging", operation_id=f"{model_id}/retry")
    await local.judged(model_id, version, "validation")
    await local.move(model_id, version, "staging", operation_id=f"{model_id}/retry")
    with pytest.raises(NoEarlierProduction):
        await local.roll_back(model_id, operation_id=f"{model_id}/undo")

    assert await local.stages(model_id) == {version: "staging"}


async def test_ids_of_tenants_do_not_meet(local: RegistryFixture, model_id: str) -> None:
    """The same id of another tenant is another operation, and tells nothing of this one."""
    await local.version(model_id, operation_id="shared-" + model_id)

    assert await local.registry.find_operation("umbrella", "shared-" + model_id) is None
    operation = await local.registry.find_operation(local.tenant, "shared-" + model_id)
    assert operation is not None
    assert operation.model_id == model_id


async def test_what_is_not_known_was_not_done(local: RegistryFixture, model_id: str) -> None:
    """An unknown operation, and one whose answer is no model, are None."""
    await local.version(model_id)
    await local.registry.set_policy(
        local.tenant,
        model_id,
        PromotionPolicy(evidence_max_age_days=7),
        actor="kim",
        operation_id=f"{model_id}/set",
    )

    assert await local.registry.find_operation(local.tenant, "nothing") is None
    assert await local.registry.find_operation(local.tenant, f"{model_id}/set") is None


async def test_another_person_behind_is_another_request(
    local: RegistryFixture, model_id: str
) -> None:
    """The ledger names the person, so an id does not pass from one to the next. A retry keeps who
    triggered the run, and a task that is cleared has a new id."""
    await local.version(model_id)
    await local.judged(model_id, 1, "validation")

    async def promote(person: str) -> None:
        actor = Principal("airflow:dag/run", frozenset({Role.PROMOTER}), on_behalf_of=person)
        await local.move(model_id, 1, "staging", actor=actor, operation_id=f"{model_id}/promote")

    await promote("kim")
    await promote("kim")
    with pytest.raises(OperationConflict):
        await promote("lee")

    assert [entry.actor for entry in await local.history(model_id)][1:] == [
        "airflow:dag/run for kim"
    ]


async def test_promotions_at_once_have_one_winner(world: RegistryFixture, model_id: str) -> None:
    """Of several that expect the same, one succeeds; the others get an error and change nothing."""
    champion = await world.promoted(model_id)
    rivals = [await world.staged(model_id, source=1) for _ in range(3)]
    for rival in rivals:
        await world.judged(model_id, rival)
    outcomes = await asyncio.gather(
        *(
            world.move(model_id, rival, "production", expected_production=champion)
            for rival in rivals
        ),
        return_exceptions=True,
    )
    winners = [item for item in outcomes if not isinstance(item, BaseException)]
    losers = [item for item in outcomes if isinstance(item, BaseException)]
    stages = await world.stages(model_id)

    assert len(winners) == 1
    assert [type(item) for item in losers if not isinstance(item, Conflict)] == []
    assert sorted(stages.values()) == ["archived", "production", "staging", "staging"]
    assert stages[champion] == "archived"
