from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_lifecycle.registry.domain.errors import (
    ArtifactNotFound,
    InvalidInput,
    InvalidName,
    ModelNotFound,
    VersionNotFound,
)
from model_lifecycle.registry.domain.identifiers import TenantId, model_id, registered_name
from model_lifecycle.registry.mlflow_adapter import tags
from model_lifecycle.registry.mlflow_adapter.client import MlflowTracking
from model_lifecycle.registry.mlflow_adapter.records import LoggedModelRecord

OPERATION = "it's/an `operation`"


@pytest.fixture
async def name(tracking: MlflowTracking, tenant: TenantId) -> str:
    name = registered_name(tenant, model_id("churn"))
    await tracking.ensure_registered_model(name, tags={}, description="")
    return name


@pytest.fixture
async def logged(
    tracking: MlflowTracking,
    tenant: TenantId,
    artifact_root: str,
    saved_model: Callable[..., Path],
) -> LoggedModelRecord:
    experiment = await tracking.ensure_experiment(tenant, model_id("churn"), artifact_root)
    run_id = await tracking.create_run(experiment, name="x", tags={})
    return await tracking.log_model_folder(
        experiment,
        name="churn",
        folder=saved_model(),
        run_id=run_id,
        framework="sklearn",
        tags={},
        parameters={},
        artifacts=None,
    )


async def create(tracking: MlflowTracking, name: str, **labels: str) -> int:
    return await tracking.create_model_version(
        name,
        source="s3://bucket/x",
        run_id=None,
        logged_model_id=None,
        tags=labels,
        description="",
    )


async def test_a_version_keeps_its_lineage(
    tracking: MlflowTracking,
    name: str,
    logged: LoggedModelRecord,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It names its run and LoggedModel, which shows it in turn; the global tracking address of
    the process plays no part."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/global.db")
    monkeypatch.chdir(tmp_path)
    number = await tracking.create_model_version(
        name,
        source=f"models:/{logged.model_id}",
        run_id=logged.run_id,
        logged_model_id=logged.model_id,
        tags={"lifecycle.stage": "development"},
        description="first",
    )
    version = await tracking.model_version(name, number)
    model = await tracking.logged_model(logged.model_id)

    assert number == 1
    assert version is not None
    assert (logged.run_id, logged.model_id) == (version.run_id, version.logged_model_id)
    assert (version.status, version.tags[tags.STAGE]) == ("READY", "development")
    assert version.source in (logged.artifact_uri, f"models:/{logged.model_id}")
    assert version.created_at is not None
    assert model is not None
    assert name in model.tags["mlflow.modelVersions"]
    assert not (tmp_path / "global.db").exists()
    assert not (tmp_path / "mlflow.db").exists()


async def test_a_version_shows_the_aliases_that_point_to_it(
    tracking: MlflowTracking, name: str
) -> None:
    """And no others: an alias that moves on is shown by its new version alone."""
    first, second = await create(tracking, name), await create(tracking, name)
    for alias, number in (("production", first), ("canary", first), ("production", second)):
        await tracking.set_alias(name, alias, number)
    versions = [await tracking.model_version(name, number) for number in (first, second)]

    assert [item.aliases for item in versions if item] == [{"canary"}, {"production"}]


async def test_a_version_is_found_by_its_operation(tracking: MlflowTracking, name: str) -> None:
    """All that carry its tag, ascending: which of them it made, their sources have to show."""
    first = await create(tracking, name, **{tags.OPERATION_ID: OPERATION})
    await create(tracking, name, **{tags.OPERATION_ID: "another"})
    third = await create(tracking, name, **{tags.OPERATION_ID: OPERATION})
    tagged = await tracking.versions_tagged(name, OPERATION)

    assert [item.version for item in tagged] == [first, third]
    assert await tracking.versions_tagged(name, OPERATION[:-1]) == []


async def test_the_newest_version_is_the_highest_number(
    tracking: MlflowTracking, name: str
) -> None:
    """Ten is newer than nine; what was deleted is not there; nothing is 0."""
    none = await tracking.newest_version(name)
    for _ in range(11):
        last = await create(tracking, name)
    await tracking.delete_version(name, last)

    assert (none, await tracking.newest_version(name)) == (0, last - 1)


async def test_versions_are_listed_by_number(tracking: MlflowTracking, name: str) -> None:
    """Eleven comes after two; another model's versions are not among them."""
    other = f"{name}.b"
    await tracking.ensure_registered_model(other, tags={}, description="")
    await create(tracking, other)
    for _ in range(11):
        await create(tracking, name)

    assert list(range(1, 12)) == [item.version for item in await tracking.model_versions(name)]
    assert [other] == [item.name for item in await tracking.model_versions(other)]


async def test_concurrent_creators_get_different_versions(
    tracking: MlflowTracking, name: str
) -> None:
    """No number is given twice; a creator that loses every race gets an error, not a number."""
    results = await asyncio.gather(
        *(create(tracking, name) for _ in range(4)), return_exceptions=True
    )
    numbers = [item for item in results if isinstance(item, int)]
    listed = {item.version for item in await tracking.model_versions(name)}

    assert len(numbers) == len(set(numbers))
    assert set(numbers) <= listed
    assert numbers


async def test_deleting_is_repeatable_and_frees_no_number(
    tracking: MlflowTracking, name: str
) -> None:
    """A deleted version is gone with its alias, and its number is not given again."""
    await create(tracking, name)
    second = await create(tracking, name)
    await tracking.set_alias(name, "candidate", second)
    await tracking.delete_version(name, second)
    await tracking.delete_version(name, second)
    model = await tracking.registered_model(name)
    third = await create(tracking, name)

    assert await tracking.model_version(name, second) is None
    assert model is not None
    assert model.aliases == {}
    assert third == 3
    assert [item.version for item in await tracking.model_versions(name)] == [1, 3]


async def test_tags_are_added_and_replaced(tracking: MlflowTracking, name: str) -> None:
    """Other tags stay."""
    number = await create(tracking, name, a="1", b="1")
    await tracking.set_version_tags(name, number, {"b": "2", "c": "2"})
    version = await tracking.model_version(name, number)

    assert version is not None
    assert version.tags == {"a": "1", "b": "2", "c": "2"}


async def test_what_is_not_there_is_not_found(tracking: MlflowTracking, name: str) -> None:
    """Reading gives None or nothing; writing raises, naming what is missing."""
    absent = f"{name}.absent"

    assert await tracking.model_versions(absent) == []
    assert await tracking.model_version(absent, 1) is None
    assert await tracking.model_version(name, 1) is None
    with pytest.raises(ModelNotFound, match="absent"):
        await create(tracking, absent)
    with pytest.raises(VersionNotFound):
        await tracking.set_version_tags(name, 1, {"a": "b"})
    await tracking.delete_version(absent, 1)


async def test_a_logged_model_that_is_not_there_makes_no_version(
    tracking: MlflowTracking, name: str
) -> None:
    """Neither an unknown LoggedModel nor a malformed id gets a version number."""
    unknown = "m-" + "f" * 32
    for model_id_, expected in ((unknown, ArtifactNotFound), ("m-1'", InvalidInput)):
        with pytest.raises(expected):
            await tracking.create_model_version(
                name,
                source=f"models:/{unknown}",
                run_id=None,
                logged_model_id=model_id_,
                tags={},
                description="",
            )

    assert await tracking.model_versions(name) == []


@pytest.mark.parametrize("bad", [0, -1, True, 2**31, "01", "+1", "1.0", ""])
async def test_a_version_is_a_positive_whole_number(
    tracking: MlflowTracking, name: str, bad: Any
) -> None:
    """Anything else is refused before MLflow is asked."""
    with pytest.raises(InvalidName, match="version"):
        await tracking.model_version(name, bad)


async def test_a_version_may_be_text(tracking: MlflowTracking, name: str) -> None:
    """Plain digits name the version that the number names."""
    number = await create(tracking, name)
    text: Any = str(number)
    version = await tracking.model_version(name, text)

    assert version is not None
    assert version == await tracking.model_version(name, number)
