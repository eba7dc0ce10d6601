"""A ledger, an artifact root and an MLflow belong together, or are refused."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest
from support.registry_fixture import RegistryFixture, new_name, trained
from support.servers.postgres import Postgres
from support.servers.service import Service

from model_lifecycle.registry.administration import move_registry
from model_lifecycle.registry.domain.errors import BundleCorrupt, InvalidInput
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.ledger.migrate import upgrade
from model_lifecycle.registry.settings import Settings


async def _one_in_production(settings: Settings, model_id: str) -> RegistryFixture:
    """Version 1 archived, version 2 in production, version 3 staged and judged; the registry is
    closed again."""
    async with open_registry(settings) as registry:
        logged = await registry.log_model("acme", "origin", trained(), created_by="kim")
        world = RegistryFixture(registry, "acme", (logged.model_uri,))
        await world.promoted(model_id)
        await world.promoted(model_id)
        await world.staged(model_id)
        await world.judged(model_id, 3)
        return world


async def _opens_with(settings: Settings, field: str, *named: str) -> None:
    """Opening, or the first use of a store, is refused and names what is ``named``."""

    async def use_all() -> None:
        async with open_registry(settings) as registry:
            await registry.ping()

    with pytest.raises(InvalidInput) as caught:
        await use_all()
    assert caught.value.field == field
    for text in named:
        assert text in str(caught.value)


async def test_another_root_is_refused_when_a_registry_opens(
    new_settings: Settings, model_id: str, tmp_path: Path
) -> None:
    """The error names both roots, and nothing is written at the other."""
    await _one_in_production(new_settings, model_id)
    elsewhere = new_settings.with_values(artifact_root=str(tmp_path / "elsewhere"))

    await _opens_with(
        elsewhere, "artifact_root", new_settings.artifact_root, str(tmp_path / "elsewhere")
    )

    assert not (tmp_path / "elsewhere").exists()


async def test_an_embedded_registry_moves_as_one_folder(
    new_settings: Settings, model_id: str, tmp_path: Path
) -> None:
    """Its files lie beside its ledger."""
    world = await _one_in_production(new_settings, model_id)
    shutil.move(new_settings.home, tmp_path / "moved")
    async with open_registry(new_settings.with_values(home=tmp_path / "moved")) as registry:
        assert await registry.load_model("acme", model_id)
        await RegistryFixture(registry, "acme", world.sources).roll_back(model_id)


async def test_a_registry_moves_to_another_root_by_command(
    new_settings: Settings, model_id: str, tmp_path: Path
) -> None:
    """Refused before the command; after it the old root is refused, and MLflow's versions are
    still known as the ledger's."""
    world = await _one_in_production(new_settings, model_id)
    moved = new_settings.with_values(artifact_root=str(tmp_path / "moved"))
    shutil.copytree(new_settings.artifact_root, tmp_path / "moved")
    await _opens_with(moved, "artifact_root", "registry move")

    await move_registry(moved)

    async with open_registry(moved) as registry:
        assert await registry.load_model("acme", model_id)
        assert await registry.reconcile("acme") == []
        await RegistryFixture(registry, "acme", world.sources).roll_back(model_id)
    await _opens_with(new_settings, "artifact_root", str(tmp_path / "moved"))


async def test_a_move_without_the_files_is_refused(
    new_settings: Settings, model_id: str, tmp_path: Path
) -> None:
    """Nothing is changed: the old root is still the ledger's."""
    await _one_in_production(new_settings, model_id)

    with pytest.raises(InvalidInput, match="empty"):
        await move_registry(new_settings.with_values(artifact_root=str(tmp_path / "empty")))

    async with open_registry(new_settings) as registry:
        assert await registry.load_model("acme", model_id)


async def test_two_ledgers_do_not_share_a_root(tmp_path: Path) -> None:
    """The second is refused at its first use of the store, whatever it uses it for."""
    first, second = (
        Settings({}, home=tmp_path / name, artifact_root=str(tmp_path / "shared"))
        for name in ("first", "second")
    )
    async with open_registry(first) as registry:
        await registry.artifacts.ping()

    await _opens_with(second, "artifact_root", "holds the files of registry")


async def test_another_mlflow_is_refused(
    new_settings: Settings, model_id: str, tmp_path: Path
) -> None:
    """An MLflow that has never seen the registry would show nothing of it."""
    await _one_in_production(new_settings, model_id)
    other = f"sqlite:///{tmp_path}/other.db"

    await _opens_with(
        new_settings.with_values(tracking_uri=other),
        "tracking_uri",
        f"MLflow at {other} is another one",
    )


async def test_reading_the_ledger_reaches_no_store(new_settings: Settings, model_id: str) -> None:
    """Stores are compared before their own first use alone."""
    await _one_in_production(new_settings, model_id)
    shutil.rmtree(new_settings.artifact_root)
    async with open_registry(new_settings) as registry:
        assert await registry.get_model("acme", model_id)
        assert registry._stores.tracking._connection._stores is None


async def test_a_bundle_that_is_gone_from_the_right_root_is_corrupt(
    new_settings: Settings, model_id: str
) -> None:
    """The setting is not to blame then."""
    await _one_in_production(new_settings, model_id)
    shutil.rmtree(Path(new_settings.artifact_root) / "acme" / "models" / model_id / "2")
    async with open_registry(new_settings) as registry:
        with pytest.raises(BundleCorrupt, match=r"manifest\.json is missing"):
            await registry.load_model("acme", model_id)


@pytest.mark.postgres
async def test_a_shared_ledger_with_a_folder_of_another_host_is_refused(
    postgres_server: Postgres, new_settings: Settings, tmp_path: Path
) -> None:
    """The other host has a folder of the same name, without the registry's files."""
    url = postgres_server.url("asyncpg", postgres_server.create_database())
    await upgrade(url)
    settings = new_settings.with_values(
        database_url=url, artifact_root=str(tmp_path / "models"), home=tmp_path
    ).with_values(tracking_uri=new_settings.tracking_uri)
    async with open_registry(settings) as registry:
        await registry.artifacts.ping()
    shutil.rmtree(tmp_path / "models")

    await _opens_with(settings, "artifact_root", f"on host {socket.gethostname()}", "s3://")


@pytest.mark.service
async def test_stores_in_service_belong_together(service: Service, tmp_path: Path) -> None:
    """PostgreSQL, S3 and an MLflow server: another bucket, another ledger's bucket and another
    MLflow are refused."""
    first, second = (
        Settings({}, **service.registry(tmp_path / name)) for name in ("first", "second")
    )
    for settings in (first, second):
        async with open_registry(settings) as registry:
            await registry.ping()
            await registry.artifacts.ping()
    unused = Settings({}, **service.registry(tmp_path / "third"))

    await _opens_with(
        first.with_values(artifact_root=unused.artifact_root),
        "artifact_root",
        first.artifact_root,
        unused.artifact_root,
    )
    await _opens_with(
        unused.with_values(artifact_root=first.artifact_root), "artifact_root", first.artifact_root
    )
    await _opens_with(
        first.with_values(tracking_uri=f"sqlite:///{tmp_path}/{new_name()}.db"), "tracking_uri"
    )
