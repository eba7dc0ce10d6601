"""MLflow's number is no identity: what it stands for there is compared with the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture, trained

Replace = Callable[[Any, str, str, RegistryFixture], None]


def _from_other_files(by_hand: Any, name: str, other: str, world: RegistryFixture) -> None:
    """Registered by hand from another logged model of the tenant."""
    del world
    folder = by_hand.get_logged_model(other).artifact_location
    by_hand.create_model_version(name, source=folder)


def _with_all_tags(by_hand: Any, name: str, other: str, world: RegistryFixture) -> None:
    """The same with the tags that the version had."""
    _from_other_files(by_hand, name, other, world)
    by_hand.set_model_version_tag(
        name, "1", "lifecycle.logged_model_id", world.sources[0].removeprefix("models:/")
    )


def _from_another_bundle(by_hand: Any, name: str, other: str, world: RegistryFixture) -> None:
    """Served from the bundle of another version of the same model."""
    del other
    tenant, _, model = name.partition(".")
    by_hand.create_model_version(
        name, source=world.registry.artifacts.uri(f"{tenant}/models/{model}/7")
    )


def _from_elsewhere(by_hand: Any, name: str, other: str, world: RegistryFixture) -> None:
    """Served from a place that the registry does not know."""
    del other, world
    by_hand.create_model_version(name, source="s3://elsewhere/model")


WAYS = [_from_other_files, _with_all_tags, _from_another_bundle, _from_elsewhere]


async def _made_again(apart: RegistryFixture, by_hand: Any, model_id: str, replace: Replace) -> str:
    """Version 1 is in production; somebody deletes the registered model and makes it again."""
    logged = await apart.registry.log_model(apart.tenant, "other", trained(0.01), created_by="lee")
    await apart.promoted(model_id)
    name = f"{apart.tenant}.{model_id}"
    by_hand.delete_registered_model(name)
    by_hand.create_registered_model(name)
    replace(by_hand, name, logged.model_uri.removeprefix("models:/"), apart)
    return name


def _own_tags(by_hand: Any, name: str, number: int = 1) -> dict[str, str]:
    tags = by_hand.get_model_version(name, str(number)).tags
    return {
        key: value
        for key, value in tags.items()
        if key.startswith("lifecycle.") and key != "lifecycle.logged_model_id"
    }


@pytest.mark.parametrize("replace", WAYS)
async def test_another_version_of_the_number_is_damage(
    apart: RegistryFixture, by_hand: Any, model_id: str, replace: Replace
) -> None:
    """Reconcile tells it each time, heals nothing on it, and lets no alias point at it."""
    name = await _made_again(apart, by_hand, model_id, replace)
    by_hand.set_registered_model_alias(name, "production", "1")
    first = [item for item in await apart.registry.reconcile(apart.tenant) if not item.healed]
    second = await apart.registry.reconcile(apart.tenant)

    assert [(item.code, item.version) for item in first] == [("replaced_in_mlflow", 1)]
    assert [(item.code, item.version, item.healed) for item in second] == [
        ("replaced_in_mlflow", 1, False)
    ]
    assert "version 1 in MLflow is not the version in the ledger" in first[0].message
    assert by_hand.get_registered_model(name).aliases == {}
    assert _own_tags(by_hand, name) == {}


async def test_a_promotion_does_not_point_at_another_version(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """The ledger moves, production is what it says, and MLflow shows no version for it."""
    name = await _made_again(apart, by_hand, model_id, _from_other_files)
    await apart.promoted(model_id)
    assert int(by_hand.get_registered_model(name).aliases["production"]) == 2
    back = await apart.roll_back(model_id)

    assert back.production_version == 1
    assert by_hand.get_registered_model(name).aliases == {}
    assert _own_tags(by_hand, name) == {}
    assert await apart.registry.load_model(apart.tenant, model_id)


async def test_a_staged_version_that_was_replaced_is_not_shown_as_production(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """Between the gates and the promotion somebody makes the registered model again."""
    logged = await apart.registry.log_model(apart.tenant, "other", trained(0.01), created_by="lee")
    await apart.staged(model_id)
    await apart.judged(model_id, 1)
    name = f"{apart.tenant}.{model_id}"
    by_hand.delete_registered_model(name)
    by_hand.create_registered_model(name)
    _from_other_files(by_hand, name, logged.model_uri.removeprefix("models:/"), apart)
    answer = await apart.move(model_id, 1, "production")

    assert answer.production_version == 1
    assert by_hand.get_registered_model(name).aliases == {}
    assert _own_tags(by_hand, name) == {}


async def test_another_version_is_not_deleted_with_ours(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """A version that somebody registered under the number of a deleted one stays."""
    logged = await apart.registry.log_model(apart.tenant, "other", trained(0.01), created_by="lee")
    await apart.version(model_id)
    name = f"{apart.tenant}.{model_id}"
    by_hand.delete_registered_model(name)
    by_hand.create_registered_model(name)
    _from_other_files(by_hand, name, logged.model_uri.removeprefix("models:/"), apart)
    await apart.registry.delete_model(apart.tenant, model_id, 1, actor="kim", reason="unused")
    await apart.registry.reconcile(apart.tenant)

    assert by_hand.get_model_version(name, "1").version in ("1", 1)


async def test_the_next_registration_passes_the_numbers_by(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """A new version gets a number that neither side has, and is served from its own bundle."""
    name = await _made_again(apart, by_hand, model_id, _from_other_files)
    number = await apart.version(model_id)
    projected = by_hand.get_model_version(name, str(number))

    assert number == 2
    assert (
        apart.registry.artifacts.path_of(projected.source) == f"{apart.tenant}/models/{model_id}/2"
    )
