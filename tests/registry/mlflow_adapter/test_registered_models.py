from __future__ import annotations

import asyncio

import pytest
from mlflow import MlflowClient

from model_lifecycle.registry.domain.errors import InvalidName, ModelNotFound, VersionNotFound
from model_lifecycle.registry.domain.identifiers import (
    TenantId,
    model_id,
    registered_name,
    tenant_id,
)
from model_lifecycle.registry.mlflow_adapter.client import MlflowTracking


@pytest.fixture
def name(tenant: TenantId) -> str:
    return registered_name(tenant, model_id("churn"))


async def ensure(tracking: MlflowTracking, name: str) -> None:
    await tracking.ensure_registered_model(name, tags={"stage": "development"}, description="d")


async def version(tracking: MlflowTracking, name: str) -> int:
    return await tracking.create_model_version(
        name,
        source="s3://bucket/x",
        run_id=None,
        logged_model_id=None,
        tags={},
        description="",
    )


async def test_a_model_is_registered_once(tracking: MlflowTracking, name: str) -> None:
    """Ensuring again neither fails nor changes what is there."""
    await ensure(tracking, name)
    await tracking.set_registered_model_tags(name, {"stage": "staging", "framework": "sklearn"})
    await ensure(tracking, name)
    model = await tracking.registered_model(name)

    assert model is not None
    assert (name, {}) == (model.name, model.aliases)
    assert model.tags == {"stage": "staging", "framework": "sklearn"}


async def test_concurrent_creators_all_succeed(tracking: MlflowTracking, name: str) -> None:
    """Of twelve who register it at once, none fails."""
    await asyncio.gather(*(ensure(tracking, name) for _ in range(12)))

    assert await tracking.registered_model(name) is not None


async def test_another_tenants_models_never_come_back(
    tracking: MlflowTracking, tenant: TenantId
) -> None:
    """A tenant sees its own models by name, not those of tenants with a similar name."""
    other = tenant_id(f"{tenant}-b")
    for owner, model in ((tenant, "b"), (tenant, "a.x_y"), (other, "a.xay"), (other, "b")):
        await ensure(tracking, registered_name(owner, model_id(model)))
    own = await tracking.registered_models(tenant)
    everyone = {model.name for model in await tracking.registered_models()}

    assert [f"{tenant}.a.x_y", f"{tenant}.b"] == [model.name for model in own]
    assert await tracking.registered_models(tenant_id(tenant[:-1])) == []
    assert {f"{tenant}.b", f"{other}.b"} <= everyone


async def test_models_that_are_not_ours_are_left_out(tracking: MlflowTracking, uri: str) -> None:
    """A model that somebody registered without a tenant belongs to nobody."""
    somebody = MlflowClient(uri, uri)
    somebody.create_registered_model("Somebody_else's")
    names = {model.name for model in await tracking.registered_models()}
    somebody.delete_registered_model("Somebody_else's")

    assert "Somebody_else's" not in names


async def test_an_alias_moves_and_goes(tracking: MlflowTracking, name: str) -> None:
    """The last one who sets it wins; removing it twice is fine."""
    await ensure(tracking, name)
    first, second = await version(tracking, name), await version(tracking, name)
    await tracking.set_alias(name, "production", first)
    await tracking.set_alias(name, "production", second)
    moved = await tracking.registered_model(name)
    await tracking.delete_alias(name, "production")
    await tracking.delete_alias(name, "production")
    gone = await tracking.registered_model(name)

    assert moved is not None
    assert {"production": second} == moved.aliases
    assert gone is not None
    assert gone.aliases == {}


async def test_concurrent_first_sets_of_an_alias_all_succeed(
    tracking: MlflowTracking, name: str
) -> None:
    """MLflow gives the losers 400; the adapter sends their set once more."""
    await ensure(tracking, name)
    versions = [await version(tracking, name) for _ in range(4)]
    await asyncio.gather(*(tracking.set_alias(name, "production", v) for v in versions))
    model = await tracking.registered_model(name)

    assert model is not None
    assert model.aliases["production"] in versions


async def test_concurrent_first_sets_of_a_tag_all_succeed(
    tracking: MlflowTracking, name: str
) -> None:
    """A tag of a model and one of a version, which MLflow gives the losers 400 for as well."""
    await ensure(tracking, name)
    number = await version(tracking, name)
    for key in ("a", "b", "c", "d"):
        await asyncio.gather(
            *(tracking.set_registered_model_tags(name, {key: str(n)}) for n in range(6)),
            *(tracking.set_version_tags(name, number, {key: str(n)}) for n in range(6)),
        )
    model = await tracking.registered_model(name)
    record = await tracking.model_version(name, number)

    assert model is not None
    assert record is not None
    assert set("abcd") <= set(model.tags)
    assert set("abcd") <= set(record.tags)


async def test_an_alias_needs_a_version(tracking: MlflowTracking, name: str) -> None:
    """Neither an unknown version nor an unknown model can be pointed at; removing is fine."""
    with pytest.raises(VersionNotFound):
        await tracking.set_alias(name, "production", 1)
    await tracking.delete_alias(name, "production")
    await ensure(tracking, name)
    with pytest.raises(VersionNotFound):
        await tracking.set_alias(name, "production", 7)
    await tracking.delete_alias(name, "nobody-set-this")


async def test_what_is_not_there_is_none(tracking: MlflowTracking, name: str) -> None:
    """Reading gives None; setting a tag raises, naming the model."""
    assert await tracking.registered_model(name) is None
    with pytest.raises(ModelNotFound, match=name):
        await tracking.set_registered_model_tags(name, {"a": "b"})


@pytest.mark.parametrize("bad", ["churn", "a_b.churn", "acme.x' OR name LIKE '%", "acme.", "a\n.b"])
async def test_a_name_outside_the_naming_rule_is_refused(
    tracking: MlflowTracking, bad: str
) -> None:
    """It never reaches MLflow, least of all as a part of a filter."""
    with pytest.raises(InvalidName, match="registered model name"):
        await tracking.registered_model(bad)
    with pytest.raises(InvalidName, match="registered model name"):
        await ensure(tracking, bad)
