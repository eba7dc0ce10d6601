"""``serve``: the HTTP API as a server of its own."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Annotated

import typer

from model_lifecycle.registry.domain.errors import FrameworkUnavailable
from model_lifecycle.registry.settings import PREFIX, Settings

from ..context import with_registry
from ..logging import environment_of_the_caller
from ..options import Home

#: Named, not imported: the command line and the API are neighbours that do not know each other.
_SERVER = "model_lifecycle.api.server"


def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8080,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes.")] = 1,
    home: Home = None,
) -> None:
    """Serve the HTTP API until the process is stopped; running requests are finished."""
    if importlib.util.find_spec("uvicorn") is None:
        raise FrameworkUnavailable(
            "the HTTP API", "pip install 'airflow-provider-model-lifecycle[api]'"
        )
    settings = Settings(home=home)
    with_registry(home, _nothing)
    options = ("--host", host, "--port", str(port), "--workers", str(workers))
    environment = {**environment_of_the_caller(), f"{PREFIX}HOME": str(settings.home)}
    sys.stdout.flush()
    sys.stderr.flush()
    # The same process id, so that signals and supervisors reach the server.
    os.execve(  # noqa: S606 - this program's own interpreter, without a shell
        sys.executable, [sys.executable, "-m", _SERVER, *options], environment
    )


async def _nothing(_registry: object) -> None:
    """Open the registry once, so that a server that cannot open it fails here with a message."""
