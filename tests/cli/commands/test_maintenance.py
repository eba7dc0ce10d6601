"""reconcile, verify and db upgrade: agreement, damage, and new ledgers."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from support.command_line import Installation, Run

from model_lifecycle.registry.domain.identifiers import ModelId, TenantId, registered_name
from model_lifecycle.registry.settings import Settings

from ..conftest import with_sources


@pytest.fixture
def apart(
    installation: Installation, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Installation:
    """A copy of the registry, to be damaged; the command line runs against it."""
    home = tmp_path / "apart"
    shutil.copytree(
        installation.settings.home, home, ignore=shutil.ignore_patterns("artifacts", "*.db*")
    )
    for database in installation.settings.home.glob("*.db"):
        _copy_database(database, home / database.name)
    (home / "artifacts").symlink_to(installation.settings.home / "artifacts")
    settings = Settings({}, home=home)
    monkeypatch.setenv("MODEL_LIFECYCLE_HOME", str(home))
    return replace(installation, settings=settings, opened=None)


def _copy_database(source: Path, target: Path) -> None:
    """By SQLite itself: the registry at ``source`` is open in this process, and closing a file
    that was opened by anything else drops all of the process's locks on it."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def test_reconcile_heals_an_alias_that_somebody_moved(
    ops: Installation, run: Run, model: str
) -> None:
    """It says what it healed; the second time there is nothing to say."""
    ops.step(lambda world: world.promoted(model))
    name = registered_name(TenantId(ops.tenant), ModelId(model))
    ops.ask(lambda registry: registry._stores.tracking.delete_alias(name, "production"))

    first, second, third = run("reconcile"), run("reconcile", "--json"), run("reconcile")

    assert (first.code, second.code) == (0, 0)
    assert [line.split()[:3] for line in first.out.splitlines() if model in line] == [
        [model, "1", "healed"]
    ]
    assert second.json == {"findings": []}
    assert third.out == "MLflow shows what the ledger says.\n"


def test_reconcile_that_cannot_heal_exits_with_eight(
    ops: Installation, run: Run, model: str
) -> None:
    """A version that somebody deleted in MLflow stays damage, told every time."""
    ops.step(lambda world: world.promoted(model))
    name = registered_name(TenantId(ops.tenant), ModelId(model))
    ops.ask(lambda registry: registry._stores.tracking.delete_version(name, 1))

    words, program = run("reconcile"), run("reconcile", "--json")

    assert (words.code, program.code) == (8, 8)
    assert "DAMAGED" in words.out
    damage = [item for item in program.json["findings"] if not item["healed"]]
    assert [(item["tenant_id"], item["code"]) for item in damage] == [
        (ops.tenant, "production_deleted_in_mlflow")
    ]


def test_reconcile_wants_a_tenant_or_all(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reconciles everybody's models by leaving something out."""
    monkeypatch.delenv("MODEL_LIFECYCLE_TENANT")
    monkeypatch.setenv("MODEL_LIFECYCLE_TRACKING_URI", "http://127.0.0.1:1")

    assert run("reconcile").code == 2
    assert run("reconcile", "--all").code == 7


def test_verify_counts_what_is_intact(installation: Installation, run: Run, champion: str) -> None:
    """The entries of the ledger; with --files also the bundles of the versions."""
    installation.step(lambda world: world.registry.anchor_heads())
    program = run("verify", champion, "--files", "--json")
    row = next(line for line in run("verify", champion).out.splitlines() if champion in line)

    assert program.json["models"] == [
        {
            "tenant_id": "demo",
            "model_id": champion,
            "entries": 5,
            "bundles": 2,
            "damage": [],
            "anchored": 5,
            "unavailable": [],
        }
    ]
    assert row.split() == [champion, "5", "intact"]


def test_verify_names_an_entry_that_was_edited(
    champion: str, apart: Installation, run: Run, model: str
) -> None:
    """Among all models the damaged one is named, and the others are still checked."""
    apart.step(lambda world: world.promoted(model))
    apart.sql("DROP TRIGGER entries_no_update")  # as the file's owner can
    apart.sql("UPDATE entries SET actor = 'nobody' WHERE model_id = ? AND sequence = 2", model)

    words, program = run("verify", "--all"), run("verify", "--all", "--json")
    damage = {item["model_id"]: item["damage"] for item in program.json["models"]}

    assert (words.code, program.code) == (8, 8)
    assert "entry 2" in damage[model][0]
    assert damage[champion] == []
    assert "entry 2" in " ".join(words.out.split())


def test_verify_names_a_file_that_was_changed(
    installation: Installation, run: Run, model: str
) -> None:
    """A bundle that is not what was registered is damage, and nobody rolls back to it."""
    installation.step(lambda world: world.promoted(model))
    installation.step(lambda world: world.promoted(model, 1))
    bundle = installation.settings.home / "artifacts" / "demo" / "models" / model / "1"
    (bundle / "requirements.txt").write_text("numpy==1.0\n")

    verified = run("verify", model, "--files", "--json")
    rolled_back = run("rollback", model, "--reason", "feed is down", "--json")

    assert (verified.code, rolled_back.code) == (8, 8)
    assert "requirements.txt" in verified.json["models"][0]["damage"][0]
    assert rolled_back.problem["code"] == "bundle_corrupt"
    assert installation.step(lambda world: world.stages(model)) == {1: "archived", 2: "production"}


def test_verify_needs_a_tenant_or_all(
    run: Run, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model of no tenant cannot be verified, nor one model of all tenants."""
    assert run("verify", model).code == 3
    assert run("verify", model, "--all").code == 2
    monkeypatch.delenv("MODEL_LIFECYCLE_TENANT")
    assert run("verify").code == 2
    assert run("verify", model).code == 2


def test_verify_all_covers_every_tenant(
    champion: str, apart: Installation, run: Run, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damage of another tenant's model is found, though the environment names a tenant."""
    other = with_sources(replace(apart, tenant="other-tenant"), 1)
    other.step(lambda world: world.version(model))
    apart.sql("DROP TRIGGER entries_no_update")
    apart.sql("UPDATE entries SET actor = 'nobody' WHERE tenant_id = ?", "other-tenant")

    of_all, of_one = run("verify", "--all", "--json"), run("verify", "--json")
    damage = {
        (item["tenant_id"], item["model_id"]): item["damage"] for item in of_all.json["models"]
    }

    assert (of_all.code, of_one.code) == (8, 0)
    assert "entry 1" in damage["other-tenant", model][0]
    assert damage["demo", champion] == []
    assert {item["tenant_id"] for item in of_one.json["models"]} == {"demo"}
    assert f"other-tenant/{model}" in run("verify", "--all").out


def test_verify_all_names_a_model_whose_row_was_removed(
    apart: Installation, run: Run, model: str
) -> None:
    """Its entries are still there, so its absence is damage."""
    apart.step(lambda world: world.version(model))
    for table in ("models", "versions"):
        apart.sql(f"DELETE FROM {table} WHERE model_id = ?", model)

    answer = run("verify", "--json")
    damage = {item["model_id"]: item["damage"] for item in answer.json["models"]}

    assert answer.code == 8
    assert "the table of models has lost it" in damage[model][0]


def test_verify_all_is_for_operators_of_the_platform(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A viewer verifies a tenant's models, and not those of every tenant."""
    monkeypatch.setenv("MODEL_LIFECYCLE_ROLES", "viewer")

    assert run("verify").code == 0
    assert run("verify", "--all").code == 6


def test_db_upgrade_makes_a_ledger(run: Run, tmp_path: Path) -> None:
    """Where there was none, there is one, without models; the second time changes nothing."""
    home = tmp_path / "new"

    first, second = run("db", "upgrade", "--home", home), run("db", "upgrade", "--home", home)
    migration = run("db", "upgrade", "--home", home, "--json").json["migration"]

    assert first.out == second.out
    assert first.out.endswith(f"is at migration {migration}.\n")
    assert run("models", "--home", home, "--json").json == {"models": [], "after": None}
    with closing(sqlite3.connect(home / "ledger.db")) as connection:
        assert connection.execute("SELECT count(*) FROM models").fetchone() == (0,)


def test_verify_names_a_ledger_that_was_cut(apart: Installation, run: Run, model: str) -> None:
    """Its end is compared with what other stores have of it; reconciling needs a confirmation,
    which is an entry of the ledger."""
    apart.step(lambda world: world.version(model))
    first = apart.step(lambda world: world.history(model))[0].hash
    apart.step(lambda world: world.judged(model, 1, "validation"))
    apart.step(lambda world: world.move(model, 1, "staging"))
    apart.step(lambda world: world.registry.anchor_heads())
    apart.sql("DROP TRIGGER entries_no_delete")
    apart.sql("DELETE FROM entries WHERE model_id = ? AND sequence > 1", model)
    apart.sql("UPDATE versions SET stage = 'development' WHERE model_id = ?", model)
    apart.sql(
        "UPDATE models SET epoch = 1, head_hash = ?, stage = 'development' WHERE model_id = ?",
        first,
        model,
    )

    verified, refused = run("verify", model, "--json"), run("reconcile", "--json")
    accepted = run("reconcile", "--accept-restored-ledger", "--json")

    assert (verified.code, refused.code, accepted.code) == (8, 8, 0)
    assert "older backup" in verified.json["models"][0]["damage"][0]
    assert "ledger_truncated" in [item["code"] for item in refused.json["findings"]]
    assert "ledger_restored" in [item["code"] for item in accepted.json["findings"]]
    assert run("verify", model).code == 0


def test_registry_move_binds_the_ledger_to_another_root(
    apart: Installation, run: Run, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For admins, after the files were copied."""
    apart.step(lambda world: world.promoted(model))
    shutil.copytree(apart.settings.home / "artifacts", tmp_path / "copied")
    monkeypatch.setenv("MODEL_LIFECYCLE_ARTIFACT_ROOT", str(tmp_path / "copied"))
    monkeypatch.setenv("MODEL_LIFECYCLE_ROLES", "promoter")
    denied = run("registry", "move")
    monkeypatch.delenv("MODEL_LIFECYCLE_ROLES")

    before, moved, after = run("models"), run("registry", "move", "--json"), run("models")

    assert (denied.code, before.code, moved.code, after.code) == (6, 2, 0, 0)
    assert moved.json["artifact_root"] == (tmp_path / "copied").as_uri()


def test_prune_counts_and_removes(
    installation: Installation, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run says what would go; the history stays, and a week is the least."""
    dry = run("prune", "--dry-run", "--json")
    done = run("prune", "--older-than", 30)
    refused = run("prune", "--older-than", 3)
    monkeypatch.setenv("MODEL_LIFECYCLE_RETENTION_DAYS", "5")
    by_setting = run("prune", "--dry-run")
    monkeypatch.setenv("MODEL_LIFECYCLE_ROLES", "promoter")
    without_role = run("prune", "--older-than", 30)

    assert (dry.code, dry.json["dry_run"], dry.json["operations"]) == (0, True, 0)
    assert (done.code, done.out.split(" from before ")[0]) == (
        0,
        "Removed 0 operations and 0 rows of the outbox",
    )
    assert (refused.code, by_setting.code, without_role.code) == (2, 2, 6)
    assert "at least 7 days" in refused.err
    assert "prune the ledger" in without_role.err
