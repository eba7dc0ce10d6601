"""The server's log of its own mistakes: type, text, place and request id; no secrets."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import sys
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from support.http import served

from model_lifecycle.api import ApiSettings, Caller, create_app
from model_lifecycle.api.serving import log_as_json
from model_lifecycle.cli.logging import own_warnings
from model_lifecycle.registry.domain.authorization import Principal
from model_lifecycle.registry.settings import Settings


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Standard error of a server that was set up inside the command line's own logging."""
    text = io.StringIO()
    root, own = logging.getLogger(), logging.getLogger("model_lifecycle")
    before = root.handlers[:], root.level, own.propagate, own.handlers[:], own.level
    with monkeypatch.context() as patch, own_warnings(as_json=False):
        patch.setattr(sys, "stderr", text)
        log_as_json()
        yield text
    logging.captureWarnings(False)
    root.handlers[:], root.level, own.propagate, own.handlers[:], own.level = before


def failing_app(tmp_path: object) -> FastAPI:
    async def anyone(_request: object) -> Caller:
        return Caller("acme", Principal("kim", frozenset()))

    app = create_app(Settings({}, home=tmp_path), auth=anyone, api=ApiSettings({}))

    @app.get("/boom")
    async def boom() -> None:
        try:
            raise ValueError("the first cause")
        except ValueError as error:
            raise RuntimeError(
                "no answer of postgresql://kim:hunter2@db/ledger\n[SQL: SELECT secret]"
            ) from error

    return app


def test_a_500_is_logged_under_its_request_id(log: io.StringIO, tmp_path: object) -> None:
    """With type, text, place and cause, also where the process had other logging before."""
    with served(failing_app(tmp_path)) as url:
        answer = httpx.get(f"{url}/boom", headers={"X-Request-ID": "mine"}, timeout=30)
    records = [json.loads(line) for line in log.getvalue().splitlines()]
    (error,) = [item for item in records if item.get("error")]
    (access,) = [item for item in records if item["logger"] == "model_lifecycle.api.access"]

    assert (answer.status_code, answer.json()["request_id"]) == (500, "mine")
    assert (error["request_id"], error["error"], error["route"]) == (
        "mine",
        "RuntimeError",
        "/boom",
    )
    assert error["text"].startswith("no answer of postgresql://kim:***@db/ledger")
    assert "boom" in error["where"][-1]
    assert [(item["error"], item["text"]) for item in error["causes"]] == [
        ("ValueError", "the first cause")
    ]
    assert (access["request_id"], access["status"]) == ("mine", 500)
    assert "hunter2" not in log.getvalue()
    assert "SELECT" not in log.getvalue()
    assert "RuntimeError" not in answer.text


@pytest.mark.parametrize("text", ["a b", "x" * 65, "", "é", "{}", "id;drop", "../id"])
def test_an_id_that_may_not_stand_in_a_log_is_replaced(
    log: io.StringIO, tmp_path: object, text: str
) -> None:
    """By a new one, in the answer and in every line; nothing is logged about the old one."""
    with served(failing_app(tmp_path)) as url:
        answer = httpx.get(
            f"{url}/boom", headers=[(b"X-Request-ID", text.encode("latin-1"))], timeout=30
        )
    records = [json.loads(line) for line in log.getvalue().splitlines()]
    ids = {item["request_id"] for item in records if "request_id" in item}

    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
    assert ids == {answer.headers["x-request-id"]} == {answer.json()["request_id"]}
    assert not [item for item in records if item["logger"] == "asgi_correlation_id"]


def test_every_record_of_a_request_has_its_id(log: io.StringIO, tmp_path: object) -> None:
    """Also what code below the API logs, which knows of no request."""
    app = failing_app(tmp_path)

    @app.get("/warn")
    async def warn() -> dict[str, str]:
        await asyncio.to_thread(logging.getLogger("model_lifecycle.registry").warning, "slow store")
        return {}

    with served(app) as url:
        httpx.get(f"{url}/warn", headers={"X-Request-ID": "mine"}, timeout=30)
    records = [json.loads(line) for line in log.getvalue().splitlines()]

    assert [item["request_id"] for item in records if item["message"] == "slow store"] == ["mine"]
