"""A broken or absent MLflow server: BackendUnavailable, soon, after one request."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from support.servers.canned import black_hole, canned_server
from support.servers.postgres import free_port

from model_lifecycle.registry.domain.errors import BackendUnavailable, InvalidInput
from model_lifecycle.registry.mlflow_adapter.client import MlflowTracking

SECONDS = 5.0
HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


@asynccontextmanager
async def tracking_at(uri: str, call_timeout: float = 4.0) -> AsyncIterator[MlflowTracking]:
    tracking = MlflowTracking(uri, call_timeout=call_timeout, transfer_timeout=60)
    try:
        yield tracking
    finally:
        await tracking.close()


def read(tracking: MlflowTracking) -> Awaitable[object]:
    return tracking.run("f" * 32)


def write(tracking: MlflowTracking) -> Awaitable[object]:
    return tracking.create_run("1", name="x", tags={})


def register(tracking: MlflowTracking) -> Awaitable[object]:
    return tracking.create_model_version(
        "acme.churn",
        source="s3://x",
        run_id=None,
        logged_model_id=None,
        tags={},
        description="",
    )


CALLS = pytest.mark.parametrize("call", [read, write, register])


@CALLS
async def test_a_refused_connection(call: Callable[[MlflowTracking], Awaitable[object]]) -> None:
    """Nobody listens: the answer comes at once."""
    began = time.monotonic()
    async with tracking_at(f"http://127.0.0.1:{free_port()}") as tracking:
        with pytest.raises(BackendUnavailable, match="refuses connections"):
            await call(tracking)

    assert time.monotonic() - began < 1


async def test_a_black_hole() -> None:
    """A socket that accepts and never answers is given up within the call timeout."""
    began = time.monotonic()
    with black_hole() as uri:
        async with tracking_at(uri) as tracking:
            with pytest.raises(BackendUnavailable, match="no answer within 4 s"):
                await tracking.ping()

    assert time.monotonic() - began < SECONDS


async def test_a_server_that_stops_answering() -> None:
    """Its health check is fine, its calls hang: each ends by its own deadline."""
    with canned_server(delay=30) as server:
        async with tracking_at(server.url, call_timeout=1.0) as tracking:
            await tracking._connection._opened()
            began = time.monotonic()
            results = await asyncio.gather(
                *(read(tracking) for _ in range(4)), return_exceptions=True
            )

            assert [BackendUnavailable] * 4 == [type(item) for item in results]
            assert time.monotonic() - began < SECONDS


async def test_a_database_that_is_not_there() -> None:
    """MLflow would try to connect for minutes; the probe says it at once."""
    began = time.monotonic()
    uri = f"postgresql+psycopg2://me:s3cret@127.0.0.1:{free_port()}/mlflow"
    async with tracking_at(uri) as tracking:
        with pytest.raises(BackendUnavailable, match="refuses connections") as caught:
            await tracking.ping()

    assert "s3cret" not in str(caught.value)
    assert time.monotonic() - began < SECONDS


async def test_a_host_name_that_nobody_knows() -> None:
    """The message says that it is the name."""
    async with tracking_at("http://mlflow.invalid:5000") as tracking:
        with pytest.raises(BackendUnavailable, match=r"host name is not known|cannot be reached"):
            await tracking.ping()


@CALLS
@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (502, HTML, "text/html", "INTERNAL_ERROR"),
        (503, b"", "text/plain", "TEMPORARILY_UNAVAILABLE"),
        (500, b'{"error_code": "INTERNAL_ERROR", "message": "x"}', "application/json", "INTERNAL"),
        (429, b'{"error_code": "RESOURCE_EXHAUSTED"}', "application/json", "RESOURCE_EXHAUSTED"),
        (429, b"slow down", "text/plain", "it answered"),
        (200, HTML, "text/html", "it answered INTERNAL_ERROR"),
        (200, b'{"run": {"info": ', "application/json", "it answered INTERNAL_ERROR"),
        (200, b"[1, 2]", "application/json", "it answered INTERNAL_ERROR"),
        (404, HTML, "text/html", "not as an MLflow 3 server"),
        (401, b"who are you", "text/plain", "credentials"),
        (
            400,
            b'{"error_code": "BAD_REQUEST", "message": "QueuePool limit of size 5 reached"}',
            "application/json",
            "its database could not serve the call",
        ),
    ],
)
async def test_an_answer_that_is_none(
    call: Callable[[MlflowTracking], Awaitable[object]],
    status: int,
    body: bytes,
    kind: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Proxies' pages, broken JSON and exhausted pools are outages, told after a single request,
    also where the process asks MLflow to retry."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    with canned_server(status, body, content_type=kind) as server:
        async with tracking_at(server.url) as tracking:
            with pytest.raises(BackendUnavailable, match=words):
                await call(tracking)

    assert len(server.requests) == 1


@CALLS
async def test_an_answer_that_breaks_off(
    call: Callable[[MlflowTracking], Awaitable[object]],
) -> None:
    """The server promises more bytes than it sends: nobody knows what happened, nothing is sent
    again."""
    with canned_server(200, b'{"run": {', length=5000) as server:
        async with tracking_at(server.url) as tracking:
            with pytest.raises(BackendUnavailable):
                await call(tracking)

    assert len(server.requests) == 1


async def test_an_unknown_alias_answer_is_the_callers_mistake() -> None:
    """MLflow answers 400 to an unknown alias, not 404."""
    body = (
        b'{"error_code": "INVALID_PARAMETER_VALUE", '
        b'"message": "Registered model alias nobody not found."}'
    )
    with canned_server(400, body) as server:
        async with tracking_at(server.url) as tracking:
            with pytest.raises(InvalidInput, match="alias nobody not found"):
                await tracking.delete_alias("acme.churn", "nobody")


async def test_a_closed_adapter_says_so() -> None:
    """Nothing is sent after closing, and closing twice is fine."""
    with canned_server() as server:
        async with tracking_at(server.url) as tracking:
            await tracking.close()
            with pytest.raises(BackendUnavailable, match="closed"):
                await tracking.ping()

    assert server.requests == []


@pytest.mark.parametrize("uri", ["", "mlruns", "databricks", "ftp://x/y", "file:///tmp/x"])
def test_an_address_that_is_not_supported(uri: str) -> None:
    """It is refused before anything is opened, naming what is supported."""
    with pytest.raises(InvalidInput, match="postgresql") as caught:
        MlflowTracking(uri, call_timeout=4, transfer_timeout=60)

    assert caught.value.field == "tracking_uri"


def test_an_unreachable_server_costs_no_import_of_mlflow() -> None:
    """Constructing and failing to connect leave MLflow, which takes seconds, unimported."""
    program = f"""
import asyncio, sys
from model_lifecycle.registry.domain.errors import BackendUnavailable
from model_lifecycle.registry.mlflow_adapter.client import MlflowTracking

async def main():
    tracking = MlflowTracking("http://127.0.0.1:{free_port()}", call_timeout=4, transfer_timeout=9)
    try:
        await tracking.ping()
    except BackendUnavailable:
        print(sorted({{"mlflow", "sqlalchemy", "numpy", "pandas"}} & set(sys.modules)))

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )

    assert done.stdout == "[]\n"
