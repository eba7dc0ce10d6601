"""``serve``: the HTTP API as a server of its own."""

from __future__ import annotations

import os
import secrets
import tempfile
from typing import Annotated

import typer

from model_lifecycle.registry.rules.errors import FrameworkUnavailable
from model_lifecycle.registry.settings import PREFIX, Settings

from .options import Home
from .session import ask

#: Named, not imported: the command line and the API are neighbours that do not know each other.
_APP = "model_lifecycle.api.serving:app"
_LAST_REQUESTS = 30
#: Longer than load balancers keep idle connections, so that it is they who close them.
_IDLE = 75


def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8080,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes.")] = 1,
    home: Home = None,
) -> None:
    """Serve the HTTP API until the process is told to stop; running requests are finished.

    Without MODEL_LIFECYCLE_API_SECRET page tokens last as long as the process.
    """
    try:
        import uvicorn
    except ImportError:
        raise FrameworkUnavailable(
            "the HTTP API", "pip install 'airflow-provider-model-lifecycle[api]'"
        ) from None

    settings = Settings(home=home)
    ask(home, _nothing)
    os.environ[f"{PREFIX}HOME"] = str(settings.home)
    os.environ.setdefault(f"{PREFIX}API_SECRET", secrets.token_urlsafe(32))
    with tempfile.TemporaryDirectory(prefix="model-lifecycle-metrics-") as folder:
        if workers > 1:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        uvicorn.run(
            _APP,
            factory=True,
            host=host,
            port=port,
            workers=workers,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_IDLE,
            timeout_graceful_shutdown=_LAST_REQUESTS,
        )


async def _nothing(_registry: object) -> None:
    """Opening the registry is the question: a server that cannot is told so here, in words."""
