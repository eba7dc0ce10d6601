"""The ledger was lost and its last backup is older than MLflow and the bundles."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url
from support.registry_fixture import RegistryFixture, trained

from model_lifecycle.registry.domain.errors import LedgerTruncated
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.settings import Settings

Restore = Callable[[], str]


@pytest.fixture
def backed_up(
    request: pytest.FixtureRequest, settings: Settings, tmp_path: Path
) -> Callable[[], Restore]:
    """Takes a backup of the ledger as its makers say, and gives what restores it: into a new
    database, whose address it returns."""
    if settings.database_url.startswith("sqlite"):
        return lambda: _sqlite(settings)
    postgres = request.getfixturevalue("service").postgres
    return lambda: _postgres(settings, postgres, tmp_path)


def _sqlite(settings: Settings) -> Restore:
    file = make_url(settings.database_url).database
    copy = Path(str(file)).with_name(f"restored-{uuid.uuid4().hex[:8]}.db")
    with closing(sqlite3.connect(str(file))) as ledger, closing(sqlite3.connect(copy)) as backup:
        ledger.backup(backup)
    return lambda: f"sqlite:///{copy}"


def _postgres(settings: Settings, server: Any, folder: Path) -> Restore:
    dump = folder / "ledger.dump"
    url = make_url(settings.database_url)
    place = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres"]

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [server.binaries / program, *place, *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
        )
        assert done.returncode == 0, done.stderr

    run("pg_dump", "-Fc", "-f", str(dump), str(url.database))

    def restore() -> str:
        name = server.create_database(f"restored_{uuid.uuid4().hex[:8]}")
        run("pg_restore", "-d", name, "--exit-on-error", str(dump))
        return str(server.url("asyncpg", name))

    return restore


async def _bundles(
    world: RegistryFixture, model_id: str
) -> dict[int, tuple[str, dict[str, float]]]:
    """Digest and metrics of each version."""
    versions = await world.registry.list_versions(world.tenant, model_id)
    return {item.version: (item.bundle_digest, dict(item.metrics)) for item in versions}


async def test_mlflow_follows_a_ledger_restored_from_yesterday(
    apart: RegistryFixture,
    by_hand: Any,
    settings: Settings,
    backed_up: Callable[[], Restore],
    model_id: str,
) -> None:
    """Nothing moves until a person accepts it. Then what the backup knows is true again, alias
    included; what came after it is adopted as new versions in development, with their files, and
    has to earn its stages again."""
    name = f"{apart.tenant}.{model_id}"
    await apart.promoted(model_id)
    restore = backed_up()
    await apart.promoted(model_id, source=0)
    await apart.version(model_id)
    bundles = await _bundles(apart, model_id)
    await apart.registry.anchor_heads(apart.tenant)
    before = by_hand.get_model_version_by_alias(name, "production")

    async with open_registry(settings.with_values(database_url=restore())) as registry:
        restored = replace(apart, registry=registry)
        with pytest.raises(LedgerTruncated):
            await registry.verify_ledger(apart.tenant, model_id)
        at_first = await restored.stages(model_id)
        refused = await registry.reconcile(apart.tenant)
        unmoved = by_hand.get_model_version_by_alias(name, "production")
        with pytest.raises(LedgerTruncated):
            await restored.move(model_id, 1, "archived", reason="the feed is down")
        findings = await registry.reconcile(apart.tenant, accept_restored_ledger_as="kim")
        again = await registry.reconcile(apart.tenant)
        after = by_hand.get_model_version_by_alias(name, "production")
        stages = await restored.stages(model_id)
        stored_bundles = await _bundles(restored, model_id)
        predictor = await registry.load_model(apart.tenant, model_id, stage="production")
        await restored.judged(model_id, 2, "validation")
        await restored.move(model_id, 2, "staging")
        await restored.judged(model_id, 2)
        promoted = await restored.move(model_id, 2, "production")
        assert await registry.verify_ledger(apart.tenant, model_id) == len(
            await restored.history(model_id)
        )

    assert [(item.code, item.healed) for item in refused] == [("ledger_truncated", False)]
    assert [int(item.version) for item in (before, unmoved, after)] == [2, 2, 1]
    assert at_first == {1: "production"}
    assert [(item.code, item.version, item.healed) for item in findings] == [
        ("ledger_restored", None, True),
        ("adopted", 2, True),
        ("adopted", 3, True),
        ("alias_moved", 1, True),
        ("tags_edited", 1, True),
    ]
    assert again == []
    assert stages == {1: "production", 2: "development", 3: "development"}
    assert stored_bundles == bundles
    assert predictor is not None
    assert promoted.production_version == 2


async def test_a_bundle_of_other_files_is_not_adopted(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """At the place of a version that somebody registers in MLflow there may lie what was left of
    another one: its files are not the version's, and it is reported, not adopted."""
    second = await apart.registry.log_model(apart.tenant, "other", trained(0.01), created_by="kim")
    await apart.version(model_id)
    path = f"{apart.tenant}/models/{model_id}"
    artifacts = apart.registry.artifacts
    await artifacts.copy_folder(f"{path}/1", f"{path}/2")
    manifest = await artifacts.get_bytes(f"{path}/2/manifest.json")
    await artifacts.put_bytes(
        f"{path}/2/manifest.json", manifest.replace(b'"version":1', b'"version":2')
    )
    source = by_hand.get_logged_model(second.model_uri.removeprefix("models:/")).artifact_location
    by_hand.create_model_version(f"{apart.tenant}.{model_id}", source=source, run_id=second.run_id)

    findings = await apart.registry.reconcile(apart.tenant)

    assert [(item.code, item.version) for item in findings] == [("cannot_adopt", 2)]
    assert "bundle of other content" in findings[0].message
    assert await apart.stages(model_id) == {1: "development"}
