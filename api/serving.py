"""The API as a server of its own: ``model-lifecycle serve`` gives uvicorn this factory's name."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from fastapi import FastAPI

from .app import create_app

_QUIET = ("uvicorn.access", "httpx", "botocore", "alembic")


def app() -> FastAPI:
    """The app by the environment, with its log as lines of JSON on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    return create_app()


class JsonLines(logging.Formatter):
    """One JSON object a line. An exception's own text stays out: it may hold addresses and SQL;
    its type and the places it passed through are told."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "document", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["error"] = type(error).__name__
            line["where"] = _places(error)
        return json.dumps(line, ensure_ascii=True, default=str)


def _places(error: BaseException) -> list[str]:
    """The last frames of the traceback, without values."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places[-12:]
