"""One embedded registry for the folder, the command line that runs against it, and the steps
that bring its models where a test needs them."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from support.command_line import Answer, Installation, Run
from support.registry_fixture import RegistryFixture, new_name, trained
from typer.testing import CliRunner

from model_lifecycle.cli.main import app
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.settings import Settings

T = TypeVar("T")

_HERE = Path(__file__).parent
#: A warning about MLflow's code: how it loads registered models.
_OF_OTHERS = "The ``noload`` loader strategy is deprecated"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.filterwarnings(f"ignore:{_OF_OTHERS}"))


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    settings = Settings({}, home=tmp_path_factory.mktemp("cli"))
    opened = AsyncExitStack()
    with asyncio.Runner() as loop:
        registry = loop.run(opened.enter_async_context(open_registry(settings)))
        yield with_sources(Installation(settings, loop, registry), 2)
        loop.run(opened.aclose())


@pytest.fixture(scope="session")
def champion(installation: Installation) -> str:
    """A model to look at: version 1 in production, version 2 in staging after a FAIL."""

    async def bring(world: RegistryFixture) -> None:
        await world.promoted("champion")
        await world.staged("champion", 1)
        worse = {"sentence": "worse by 0.02 [-0.03, -0.01]"}
        await world.judged("champion", 2, verdict="FAIL", summary=worse)

    installation.step(bring)
    return "champion"


@pytest.fixture
def run(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in this process; ``width`` is that of the terminal."""
    for name, value in environment(installation).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LOGNAME", "robin")

    def run(*arguments: object, width: int = 160, stdin: str | None = None) -> Answer:
        given = [str(item) for item in arguments]
        result = CliRunner().invoke(app, given, input=stdin, env={"COLUMNS": str(width)})
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return Answer(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def ops(run: Run, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """A tenant of the test's own, so that nobody else's models are reconciled."""
    tenant = new_name("ops")
    monkeypatch.setenv("MODEL_LIFECYCLE_TENANT", tenant)
    return with_sources(replace(installation, tenant=tenant), 1)


@pytest.fixture
def model(installation: Installation) -> str:
    """A model of the test's own, not registered yet."""
    return new_name()


def with_sources(installation: Installation, count: int) -> Installation:
    """The place with models that its tenant has logged."""

    async def log(registry: ModelRegistry) -> tuple[str, ...]:
        logged = [
            await registry.log_model(
                installation.tenant, "origin", trained(1 / (1 + n)), created_by="kim"
            )
            for n in range(count)
        ]
        return tuple(item.model_uri for item in logged)

    with warnings.catch_warnings():
        # MLflow warns about its own code: while it is imported, and when it looks at columns.
        warnings.simplefilter("ignore")
        return replace(installation, sources=installation.ask(log))


def environment(installation: Installation) -> dict[str, str]:
    return {
        "MODEL_LIFECYCLE_HOME": str(installation.settings.home),
        "MODEL_LIFECYCLE_TENANT": installation.tenant,
    }
