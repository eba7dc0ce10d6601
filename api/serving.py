"""The API as a server of its own: ``model-lifecycle serve`` gives uvicorn this factory's name."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

from asgi_correlation_id import correlation_id
from fastapi import FastAPI

from model_lifecycle.registry.settings import without_passwords

from .app import create_app

_QUIET = ("uvicorn.access", "httpx", "botocore", "alembic")
#: Where SQLAlchemy's text of an error begins to quote the statement.
_SQL = re.compile(r"\n?\[SQL:|\n?\[parameters:")
_LONGEST_TEXT = 1000
_MOST_CAUSES = 4


def app() -> FastAPI:
    """The app by the environment, with its log as lines of JSON on standard error."""
    log_as_json()
    return create_app()


def log_as_json() -> None:
    """Send every log record of this process to standard error, one JSON object a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    # Whatever ran in this process before has no say in what becomes of our records.
    own = logging.getLogger("model_lifecycle")
    own.handlers.clear()
    own.propagate = True
    own.setLevel(logging.NOTSET)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


class JsonLines(logging.Formatter):
    """One JSON object a line. An exception comes with its type, its text and the lines of code it
    passed through, and so do its causes; credentials and SQL are taken out of the text."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **({"request_id": request_id} if (request_id := correlation_id.get()) else {}),
            **getattr(record, "document", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line.update(_described(error))
            causes = [_described(cause) for cause in _causes(error)]
            if causes:
                line["causes"] = causes
        return json.dumps(line, ensure_ascii=True, default=str)


def _described(error: BaseException) -> dict[str, Any]:
    return {"error": type(error).__name__, "text": _public_text(error), "where": _places(error)}


def _public_text(error: BaseException) -> str:
    """The error's own text without SQL, its parameters, and passwords in addresses."""
    text = _SQL.split(str(error), maxsplit=1)[0]
    return without_passwords(text)[:_LONGEST_TEXT]


def _causes(error: BaseException) -> list[BaseException]:
    """The errors that led to this one, the nearest first."""
    causes: list[BaseException] = []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    while cause is not None and len(causes) < _MOST_CAUSES and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return causes


def _places(error: BaseException) -> list[str]:
    """The last frames of the traceback, without values."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places[-12:]
