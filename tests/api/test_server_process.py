"""`model-lifecycle serve` as a process: its log, and limits that begin before the application."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.servers.postgres import free_port

PROGRAM = Path(sys.executable).with_name("model-lifecycle")
pytestmark = pytest.mark.timeout(300)


@dataclass
class Server:
    """A running server, an admin's key to it, and its log."""

    url: str
    key: str
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def records(self, **fields: Any) -> list[dict[str, Any]]:
        """The log's records with these fields; every line has to be one JSON object."""
        records = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [item for item in records if all(item.get(k) == v for k, v in fields.items())]

    def wait_for(self, count: int, **fields: Any) -> list[dict[str, Any]]:
        """The records with these fields, once there are ``count`` of them, or after 5 s."""
        for _ in range(50):
            if len(matching := self.records(**fields)) >= count:
                break
            time.sleep(0.1)
        return matching


def environment(home: Path, **variables: str) -> dict[str, str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("MODEL_LIFECYCLE")
    }
    return {**inherited, "MODEL_LIFECYCLE_HOME": str(home), **variables}


@contextmanager
def serving(home: Path, key: str, log: Path, *options: str, **variables: str) -> Iterator[Server]:
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(PROGRAM), "serve", "--port", str(port), *options],
            env=environment(home, **variables),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(f"http://127.0.0.1:{port}", key, log)
    try:
        deadline = time.monotonic() + 120
        while True:
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            try:
                httpx.get(f"{server.url}/healthz", timeout=5)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The home of an empty registry, and an admin's key."""
    home = tmp_path_factory.mktemp("registry")
    run: dict[str, Any] = {"env": environment(home), "check": True, "capture_output": True}
    subprocess.run([str(PROGRAM), "db", "upgrade"], **run)
    who = ("--tenant", "acme", "--role", "admin", "--name", "test")
    made = subprocess.run([str(PROGRAM), "keys", "create", *who, "--json"], **run)
    return home, json.loads(made.stdout)["key"]


@pytest.fixture(scope="module", params=["1", "2"])
def server(
    request: pytest.FixtureRequest,
    registry: tuple[Path, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """With one worker, which is the default, and with two."""
    log = tmp_path_factory.mktemp("log") / "server.log"
    limits: dict[str, Any] = {"MODEL_LIFECYCLE_API_HEADER_TIMEOUT": "1.5"}
    with serving(*registry, log, "--workers", request.param, **limits) as server:
        yield server


def test_every_request_has_one_line_in_the_log(server: Server) -> None:
    """As JSON, with its id, whichever worker answers; and no line of the log is anything else."""
    ids = [f"access-{number}" for number in range(12)]
    for name in ids:
        httpx.get(
            f"{server.url}/api/v1/models",
            headers={**server.headers, "X-Request-ID": name},
            timeout=60,
        )
    lines = [server.wait_for(1, request_id=name) for name in ids]

    assert [len(matching) for matching in lines] == [1] * 12
    assert {(line["route"], line["status"], line["tenant"]) for (line,) in lines} == {
        ("/api/v1/models", 200, "acme")
    }


def test_a_websocket_upgrade_is_refused_without_an_error(server: Server) -> None:
    """It is a request without a credential: 401, and no record of an error or a warning."""
    with socket.create_connection(server.address, timeout=20) as connection:
        connection.sendall(
            b"GET /api/v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Version: 13\r\n\r\n"
        )
        status = connection.recv(4000).split(b"\r\n")[0]

    assert status == b"HTTP/1.1 401 Unauthorized"
    assert server.records(level="error") == []


def received(connection: socket.socket) -> bytes:
    """All that arrives until the server closes the connection."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize("header", [b"X: " + b"a" * 70_000, b"a: b\r\n" * 12_000 + b"c: d"])
def test_long_headers_are_refused(server: Server, header: bytes) -> None:
    """One or many, above 64 KiB in all: 431, and the connection is closed."""
    with socket.create_connection(server.address, timeout=20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n\r\n")
        answer = received(connection)

    assert answer[:12] in (b"HTTP/1.1 431", b"")


def test_an_endless_header_ends_at_the_limit(server: Server) -> None:
    """Its sender is cut off at once; others do not wait."""
    sent, started = 0, time.monotonic()
    with socket.create_connection(server.address, timeout=20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ")
        try:
            while sent < 64:
                connection.sendall(b"a" * 1_000_000)
                sent += 1
            closed = not received(connection).startswith(b"HTTP/1.1 200")
        except ConnectionError:
            closed = True
    waited = time.monotonic()
    answer = httpx.get(f"{server.url}/healthz", timeout=30)

    assert closed
    assert sent < 64
    assert answer.status_code == 200
    assert waited - started < 10


@pytest.mark.parametrize(
    "start", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"]
)
def test_headers_that_do_not_end_are_timed_out(server: Server, start: bytes) -> None:
    """Also where nothing is sent: 408 after the header timeout, and the connection is closed."""
    with socket.create_connection(server.address, timeout=20) as connection:
        connection.sendall(start)
        began = time.monotonic()
        answer = received(connection)

    assert answer.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 10


def test_a_body_that_does_not_end_closes_its_connection(server: Server) -> None:
    """The request is answered with 401 before its body; who goes on dripping is cut off."""
    with socket.create_connection(server.address, timeout=20) as connection:
        connection.sendall(
            b"POST /api/v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
        )
        assert connection.recv(4000).startswith(b"HTTP/1.1 401")
        began, closed = time.monotonic(), False
        while time.monotonic() - began < 15 and not closed:
            time.sleep(0.5)
            try:
                connection.sendall(b" ")
            except ConnectionError:
                closed = True

    assert closed


def test_two_requests_on_one_connection_are_both_answered(server: Server) -> None:
    """Limits are of a request, not of a connection: bodies and headers are counted for each."""
    body = b'{"name": "' + b"a" * 60_000 + b'"}'
    request = (
        b"POST /api/v1/models HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer " + server.key.encode() + b"\r\n"
        b"X: " + b"a" * 30_000 + b"\r\n"
        b"Content-Length: " + str(len(body)).encode() + b"\r\n"
    )
    with socket.create_connection(server.address, timeout=60) as connection:
        connection.sendall(request + b"\r\n" + body)
        first = connection.recv(200)
        time.sleep(0.5)
        connection.recv(65536) if b"invalid" not in first else b""
        connection.sendall(request + b"Connection: close\r\n\r\n" + body)
        second = received(connection)

    assert first.startswith(b"HTTP/1.1 422")
    assert b"HTTP/1.1 422" in second


def test_more_connections_than_allowed_are_closed(
    registry: tuple[Path, str], tmp_path: Path
) -> None:
    """503 for those above the limit; the ones before are served."""
    limits: dict[str, Any] = {"MODEL_LIFECYCLE_API_MAX_CONNECTIONS": "5"}
    with serving(*registry, tmp_path / "log", **limits) as server:
        open_ones = [socket.create_connection(server.address, timeout=20) for _ in range(5)]
        time.sleep(0.5)
        with socket.create_connection(server.address, timeout=20) as another:
            refused = received(another)
        open_ones[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answered = open_ones[0].recv(100)
        for connection in open_ones:
            connection.close()

    assert refused.startswith(b"HTTP/1.1 503")
    assert answered.startswith(b"HTTP/1.1 200")


def test_a_key_set_host_that_hangs_is_waited_for_once(
    registry: tuple[Path, str], tmp_path: Path
) -> None:
    """All requests that need keys share one fetch: 503 within its time, however many they are."""

    def encode(value: dict[str, Any]) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    token = b".".join((encode({"alg": "RS256", "kid": "unknown"}), encode({"x": 1}), b"AAAA"))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(100)
        jwt: dict[str, Any] = {
            "MODEL_LIFECYCLE_API_JWT_ISSUER": "https://localhost/idp",
            "MODEL_LIFECYCLE_API_JWT_AUDIENCE": "api",
            "MODEL_LIFECYCLE_API_JWT_JWKS_URL": f"http://127.0.0.1:{silent.getsockname()[1]}/jwks",
        }

        def ask(_number: int) -> tuple[int, float]:
            began = time.monotonic()
            headers = {"Authorization": f"Bearer {token.decode()}"}
            answer = httpx.get(f"{running.url}/api/v1/models", headers=headers, timeout=120)
            return answer.status_code, time.monotonic() - began

        with (
            serving(*registry, tmp_path / "log", **jwt) as running,
            ThreadPoolExecutor(15) as threads,
        ):
            answers = list(threads.map(ask, range(15)))

    assert {status for status, _ in answers} == {503}
    assert max(seconds for _, seconds in answers) < 9


def test_a_server_keeps_its_callers_environment(registry: tuple[Path, str], tmp_path: Path) -> None:
    """The command line's own variables, such as MLflow's log level, do not reach it."""
    with serving(*registry, tmp_path / "log") as server:
        listening = server.wait_for(1, logger="uvicorn.error")
        (started,) = [item for item in listening if "Started server process" in item["message"]]
        pid = started["message"].split("[")[1].rstrip("]")
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")

    assert not [item for item in variables if item.startswith(b"MLFLOW_LOGGING_LEVEL=")]
