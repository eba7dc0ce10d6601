"""The API as a process of its own: ``python -m model_lifecycle.api.server``.

``model-lifecycle serve`` becomes this process, so that nothing of the command line's logging,
warnings or environment is left in it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence

_METRICS = "PROMETHEUS_MULTIPROC_DIR"
_APP = "model_lifecycle.api.serving:app"
_PROTOCOL = "model_lifecycle.api.http.protocol:LimitedProtocol"
#: Seconds for running requests after the signal to stop.
_LAST_REQUESTS = 30
#: Seconds; longer than load balancers keep idle connections, so that it is they who close them.
_IDLE = 75
#: Seconds in which a worker must tell that it lives. On a busy machine, importing all that it
#: needs takes longer than uvicorn's five, and a worker that is killed meanwhile starts again.
_LIVENESS = 60


def serve(host: str, port: int, workers: int) -> None:
    """Serve until the process gets a signal to stop; running requests are finished.

    ``workers`` is the number of processes. They share a folder for their metrics,
    which is made here: no two servers share theirs.
    """
    # MLflow reports its use over the network when it is imported; an answer here must not wait.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with tempfile.TemporaryDirectory(prefix="model-lifecycle-metrics-") as folder:
        # A folder that the environment names may be another server's.
        os.environ.pop(_METRICS, None)
        if workers > 1:
            os.environ[_METRICS] = folder
        # Imported here: the metrics read the variable when they are imported, and each worker
        # imports this module before it tells its parent that it lives.
        import uvicorn

        from .serving import log_as_json

        log_as_json()
        uvicorn.run(
            _APP,
            factory=True,
            host=host,
            port=port,
            workers=workers,
            http=_PROTOCOL,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_IDLE,
            timeout_worker_healthcheck=_LIVENESS,
            timeout_graceful_shutdown=_LAST_REQUESTS,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m model_lifecycle.api.server")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--workers", type=int, default=1)
    serve(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
