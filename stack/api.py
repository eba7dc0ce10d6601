"""The HTTP API as a server of its own, and the ledger it stands on."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from . import registry_settings
from .health_check import ask
from .instance import TENANT, Instance
from .mlflow import s3_environment
from .ports import HOST
from .service import StackService


def settings(instance: Instance) -> Mapping[str, str]:
    """The environment of the API and of the command line."""
    return {
        **registry_settings.settings(instance),
        **s3_environment(instance),
    }


def lifecycle(*arguments: str) -> list[str]:
    """The command line ``model-lifecycle``."""
    return [str(Path(sys.executable).with_name("model-lifecycle")), *arguments]


def upgrade_command() -> list[str]:
    """Make or upgrade the ledger's tables."""
    return lifecycle("db", "upgrade")


def key_command() -> list[str]:
    """Make an API key that may do everything in the stack's tenant."""
    roles = [word for role in ("admin", "viewer") for word in ("--role", role)]
    return lifecycle("keys", "create", "--tenant", TENANT, "--name", "stack", *roles, "--json")


def _problem(instance: Instance) -> str | None:
    status, answer = ask(instance.ports["api"], "/readyz")
    return None if status == 200 else f"/readyz: {status or ''} {answer}".strip()


API = StackService(
    name="api",
    command=lambda instance: lifecycle(
        "serve", "--host", HOST, "--port", str(instance.ports["api"])
    ),
    problem=_problem,
    settings=settings,
    ports=("api",),
)
