"""Our way to MLflow's server beside that of MLflow's own client: the same environment, the same
requests, the same meaning of each answer."""

from __future__ import annotations

import asyncio
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from mlflow.exceptions import MlflowException
from mlflow.prompt.registry_utils import add_prompt_filter_string
from support.servers.canned import Canned, canned_server

from model_lifecycle.registry.domain.errors import BackendUnavailable, InvalidInput
from model_lifecycle.registry.domain.identifiers import tenant_id
from model_lifecycle.registry.mlflow_adapter import filter_strings
from model_lifecycle.registry.mlflow_adapter.client import MlflowTracking
from model_lifecycle.registry.mlflow_adapter.rest import auth
from model_lifecycle.registry.mlflow_adapter.rest.client import Server
from model_lifecycle.registry.mlflow_adapter.rest.responses import AnswerError, document_of
from model_lifecycle.registry.mlflow_adapter.rest.tracking import SendOnceTracking

NAME = "MLFLOW_TRACKING_USERNAME"
PASSWORD = "MLFLOW_TRACKING_PASSWORD"
TOKEN = "MLFLOW_TRACKING_TOKEN"
CREDENTIALS = "[mlflow]\nmlflow_tracking_username = file\nmlflow_tracking_password = kept\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, and no setting of MLflow's from the environment."""
    for name in (NAME, PASSWORD, TOKEN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@asynccontextmanager
async def tracking_at(uri: str) -> AsyncIterator[MlflowTracking]:
    tracking = MlflowTracking(uri, call_timeout=4, transfer_timeout=60)
    try:
        yield tracking
    finally:
        await tracking.close()


def keep(home: Path, text: str) -> None:
    (home / ".mlflow").mkdir()
    (home / ".mlflow" / "credentials").write_text(text)


def sent_by_each(server: Canned, uri: str) -> list[str | None]:
    """The Authorization of the same request by our way, and by MLflow's client."""
    ours = Server(uri, 4)
    try:
        ours.send("GET", "registered-models/search", {"max_results": 1})
    finally:
        ours.close()
    SendOnceTracking(uri, 4).send("GET", "registered-models/search", {"max_results": 1})
    assert server.requests[0] == server.requests[1]
    return [headers.get("Authorization") for headers in server.headers]


@pytest.mark.parametrize(
    ("environment", "file", "user"),
    [
        ({}, "", ""),
        ({NAME: "kim", PASSWORD: "s3cret: ü"}, "", ""),
        ({NAME: "kim"}, "", ""),
        ({TOKEN: "abc"}, "", ""),
        ({NAME: "kim", PASSWORD: "s3cret", TOKEN: "abc"}, "", ""),
        ({}, CREDENTIALS, ""),
        ({NAME: "kim"}, CREDENTIALS, ""),
        ({TOKEN: "abc"}, "[other]\nx = y\n", ""),
        ({}, "", "url:p%40ss@"),
        ({TOKEN: "abc"}, CREDENTIALS, "url:p%40ss@"),
    ],
)
def test_credentials_are_those_of_mlflows_client(
    environment: Mapping[str, str],
    file: str,
    user: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Names, passwords and tokens from the environment, the file and the address, in its order."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if file:
        keep(home, file)
    with canned_server() as server:
        ours, theirs = sent_by_each(server, server.url.replace("://", f"://{user}"))

    assert ours == theirs
    assert (ours is None) == (environment in ({}, {NAME: "kim"}) and not (file or user))


def test_a_credentials_file_that_cannot_be_read_is_told_without_its_content(home: Path) -> None:
    """The error says which file, not what is in it."""
    keep(home, "[mlflow]\nmlflow_tracking_password = 100%s3cret\n")
    with pytest.raises(InvalidInput, match=r"\.mlflow/credentials") as caught:
        auth.read_access()

    assert "s3cret" not in str(caught.value)


ANSWERS = [
    (status, body)
    for status in (204, 302, 400, 401, 403, 404, 408, 409, 418, 429, 499, 500, 501, 502, 503, 504)
    for body in (b"", b"<html>no</html>", b"[1]", b'{"message": "x"}')
] + [
    (200, b""),
    (200, b"200 OK"),
    (200, b"[1]"),
    (200, b'{"a": '),
    (200, b'{"a": 1}'),
    (400, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "x"}'),
    (400, b'{"error_code": "NOBODY_KNOWS_IT", "message": "x"}'),
    (400, b'{"error_code": 404, "message": "x"}'),
    (400, b'{"error_code": "503", "message": "x"}'),
    (400, b'{"error_code": null}'),
]


@pytest.mark.parametrize(("status", "body"), [item for item in ANSWERS if item[0] != 204])
def test_an_answer_means_what_it_means_to_mlflows_client(status: int, body: bytes) -> None:
    """The same document, or an error with the same code."""

    def ours() -> Any:
        return document_of(status, body)

    with canned_server(status, body) as server:
        theirs = SendOnceTracking(server.url, 4)
        outcomes = [
            outcome(ours),
            outcome(lambda: theirs.send("POST", "model-versions/create", {})),
        ]

    assert outcomes[0] == outcomes[1]


def outcome(send: Any) -> Any:
    try:
        return send()
    except (AnswerError, MlflowException) as error:
        return error.error_code


def test_what_is_searched_leaves_prompts_out_as_mlflows_client_does() -> None:
    """MLflow keeps prompts as registered models with a tag."""
    for condition in (None, "name = 'acme.churn'"):
        assert filter_strings.without_prompts(condition) == add_prompt_filter_string(
            condition, False
        )


def certificate(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one file."""
    from ipaddress import IPv4Address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mlflow")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / "mlflow.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A server with a certificate that no authority of the system has signed."""
    file = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with canned_server(tls=context) as server:
        yield SimpleNamespace(url=server.url, requests=server.requests, file=file)


async def test_an_unknown_certificate_is_refused(secure: SimpleNamespace) -> None:
    """Nothing is sent to a server that cannot prove who it is."""
    async with tracking_at(secure.url) as tracking:
        with pytest.raises(BackendUnavailable, match="TLS certificate was not accepted"):
            await tracking.ping()

    assert secure.requests == []


async def test_a_certificate_of_ones_own(
    secure: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLFLOW_TRACKING_SERVER_CERT_PATH names who is trusted."""
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(secure.file))
    async with tracking_at(secure.url) as tracking:
        await tracking.ping()

    assert len(secure.requests) == 2


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
async def test_tls_that_is_not_verified(
    secure: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLFLOW_TRACKING_INSECURE_TLS takes every certificate; not beside one that is named."""
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    async with tracking_at(secure.url) as tracking:
        await tracking.ping()
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(secure.file))
        with pytest.raises(InvalidInput, match="unset one of them"):
            await tracking.ping()


async def test_an_auth_plugin_is_asked_through_mlflows_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MLFLOW_TRACKING_AUTH names a plugin of MLflow; every request carries what it adds."""
    from mlflow.tracking.request_auth import registry

    class Plugin:
        def get_name(self) -> str:
            return "ours"

        def get_auth(self) -> Any:
            return requests.auth.HTTPBasicAuth("plugin", "x")

    monkeypatch.setattr(
        registry._request_auth_provider_registry, "_registry", [Plugin()], raising=True
    )
    monkeypatch.setenv("MLFLOW_TRACKING_AUTH", "ours")
    with canned_server() as server:
        async with tracking_at(server.url) as tracking:
            await tracking.ping()

    assert [item["Authorization"] for item in server.headers] == ["Basic cGx1Z2luOng="] * 2


async def test_calls_go_on_while_mlflow_is_imported() -> None:
    """Many who ask for runs wait for the import; who mirrors the ledger does not wait for them."""
    imported = threading.Event()
    with canned_server() as server:
        async with tracking_at(server.url) as tracking:
            stores = await tracking._connection._reached()
            open_tracking = stores._open_tracking
            stores._open_tracking = lambda: imported.wait(30) and open_tracking()
            reading = [asyncio.create_task(tracking.experiments(tenant_id("a"))) for _ in range(20)]
            await asyncio.sleep(0.1)
            await tracking.ping()
            before = len(server.requests)
            imported.set()
            results = await asyncio.gather(*reading)

    assert before == 2
    assert results == [[]] * 20


@pytest.mark.parametrize(
    ("name", "value", "needed"),
    [
        ("MLFLOW_TRACKING_AUTH", "kubernetes", True),
        ("MLFLOW_WORKSPACE", "team-a", True),
        ("MLFLOW_TRACKING_AWS_SIGV4", "true", True),
        ("MLFLOW_TRACKING_AWS_SIGV4", "false", False),
        ("MLFLOW_WORKSPACE", " ", False),
        (TOKEN, "abc", False),
    ],
)
def test_what_only_mlflows_client_can_do(
    name: str, value: str, needed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plugins, signatures and workspaces are left to it; names and tokens are not."""
    monkeypatch.setenv(name, value)

    assert auth.needs_mlflow() is needed


def test_a_plugin_that_adds_headers_is_left_to_mlflows_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is installed for it may be what lets one in."""
    info = tmp_path / "plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[mlflow.request_header_provider]\nplugin = plugin:Headers\n"
    )
    before = auth.needs_mlflow()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    assert (before, auth.needs_mlflow()) == (False, True)
