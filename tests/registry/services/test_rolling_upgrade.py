"""The code of the previous schema, from this repository's history, on the ledger of this one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from support.registry_fixture import RegistryFixture

from model_lifecycle.registry.domain.models import Finding
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.ledger.migrate import HEAD, OLDEST_WRITER, upgrade
from model_lifecycle.registry.settings import Settings
from model_lifecycle.registry.sync import run_sync

_ROOT = Path(__file__).parents[3]
_MIGRATE = "registry/ledger/migrate.py"
_VERSIONS = "registry/ledger/migrations/versions"


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True).stdout


def _previous_commit() -> str:
    """The newest commit whose schema is older than this one's. Skips, with the reason, where the
    history does not have it: ``tests/registry/ledger/test_compatibility.py`` runs everywhere."""
    try:
        log = _git("log", "--format=%P", "--", _MIGRATE, _VERSIONS).split()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this is no git repository: {error}")
    for commit in log:
        head = _head(commit)
        if head is not None and head < HEAD:
            assert head >= OLDEST_WRITER, "the release before may not write any more"
            return commit
    pytest.skip(f"the history is shallow: it has no commit with a schema older than {HEAD}")


def _head(commit: str) -> str | None:
    """The newest migration of a commit; None where the clone does not have the commit, or the
    commit's own migrations are no line that ends there."""
    try:
        source = _git("show", f"{commit}:{_MIGRATE}")
        files = _git("ls-tree", "--name-only", commit, f"{_VERSIONS}/").split()
    except subprocess.CalledProcessError:
        return None
    match = re.search(r'^HEAD = "(\w+)"', source, re.MULTILINE)
    numbers = sorted(Path(file).name[:4] for file in files if Path(file).name[:4].isdecimal())
    is_line = numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
    return match[1] if match is not None and is_line and numbers[-1] == match[1] else None


@pytest.fixture(scope="module")
def previous_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to import the previous release from."""
    folder = tmp_path_factory.mktemp("previous")
    archive = folder / "code.tar"
    commit = _previous_commit()
    _git("archive", "--output", str(archive), "--prefix=model_lifecycle/", commit)
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    return folder


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The ledger's URL; empty for SQLite in the registry's home."""
    if request.param == "sqlite":
        return ""
    server = request.getfixturevalue("postgres_server")
    return str(server.url("asyncpg", server.create_database()))


@pytest.mark.timeout(240)
def test_the_previous_release_goes_on_while_the_ledger_is_upgraded(
    previous_code: Path, database_url: str, tmp_path: Path, mlflow_imported: None
) -> None:
    """It registers, promotes, rolls back and reconciles beside this release, and this one's reads,
    verification and sweeper take its rows."""
    settings = Settings({}, home=tmp_path / "home", database_url=database_url)
    arguments = [str(settings.home), *([database_url] if database_url else [])]
    program = Path(__file__).with_name("previous_release.py")
    environment = {**os.environ, "PYTHONPATH": str(previous_code), "PYTHONSAFEPATH": "1"}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(program), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as old:
        try:
            assert old.stdin is not None
            assert old.stdout is not None
            ready = old.stdout.readline()
            assert ready, old.communicate()[1]
            source = json.loads(ready)["source"]
            run_sync(upgrade(settings.database_url))
            run_sync(_register(settings, source))
            output, errors = old.communicate("go\n", timeout=120)
            assert output, errors
            sequence, stages, findings = run_sync(_inspect(settings))
        finally:
            old.kill()
    head = json.loads(ready)["head"]
    done = json.loads(output)

    assert OLDEST_WRITER <= head < HEAD
    assert done == {
        "promoted": 3,
        "production": 1,
        "repeated": True,
        "entries": sequence,
        "reconcile": [],
    }
    assert stages == {1: "production", 2: "development", 3: "staging"}
    assert findings == []


async def _register(settings: Settings, source: str) -> None:
    """The behaviour of this release beside the old one."""
    async with open_registry(settings) as registry:
        await RegistryFixture(registry, "acme", (source,)).version("churn")


async def _inspect(settings: Settings) -> tuple[int, dict[int, str], list[Finding]]:
    """The model's verified entries, its stages, and what differs in MLflow."""
    async with open_registry(settings) as registry:
        await registry.sweep_outbox()
        return (
            await registry.verify_ledger("acme", "churn"),
            await RegistryFixture(registry, "acme").stages("churn"),
            await registry.reconcile("acme"),
        )
