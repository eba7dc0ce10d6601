"""Keeps standard error for what this program says: nothing of libraries, our warnings in order."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from .output import printable

#: MLflow reports its use over the network when it is imported; an answer here must not wait.
_QUIET_MLFLOW = {"MLFLOW_LOGGING_LEVEL": "ERROR", "MLFLOW_DISABLE_TELEMETRY": "true"}
#: Those variables that this process has set for itself.
_set_here: set[str] = set()


def hush_libraries() -> None:
    """For a process of our own: libraries log errors only, and Python's warnings, which speak of
    their code, are off unless the environment turns them on."""
    for name, value in _QUIET_MLFLOW.items():
        if name not in os.environ:
            os.environ[name] = value
            _set_here.add(name)
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def environment_of_the_caller() -> dict[str, str]:
    """The environment this process was started with: for a process that takes its place."""
    return {name: value for name, value in os.environ.items() if name not in _set_here}


@contextmanager
def own_warnings(as_json: bool) -> Iterator[None]:
    """Within it, warnings of the registry go to standard error: a line, or a JSON object, each."""
    handler = _Handler(as_json)
    logger = logging.getLogger("model_lifecycle")
    propagate = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = propagate
        logger.removeHandler(handler)


class _Handler(logging.Handler):
    def __init__(self, as_json: bool) -> None:
        super().__init__(logging.WARNING)
        self._as_json = as_json

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        text = (
            json.dumps({"code": "warning", "message": message})
            if self._as_json
            else f"warning: {printable(message)}"
        )
        sys.stderr.write(f"{text}\n")
