from __future__ import annotations

import json
import socket
import time
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from support.http import Api
from support.registry_fixture import new_name
from support.servers.canned import canned_server

#: What no body may hold: traces, SQL, addresses of the stores.
LEAKS = ("Traceback", "SELECT", "sqlite", 'File "', "/tmp/", "sqlalchemy", "psycopg", ".py")


def refused(answer: httpx.Response, started: float) -> dict[str, Any]:
    """The problem document of a 4xx that came within a second and tells nothing internal."""
    seconds = time.perf_counter() - started

    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    assert [word for word in LEAKS if word in answer.text] == []
    assert seconds < 1
    document: dict[str, Any] = answer.json()
    assert document["status"] == answer.status_code
    return document


NAMES = [
    "%00", "a%00b", "a%0Ab", "a%2Fb", "..%2F..%2Fetc", "%2e%2e", "a%20b", "-a", "a-",
    "ａ", "a" * 129, "a" * 5000, "%F0%9F%92%A9", "%FF%FE", "a%27%20OR%201=1--", "%25", "a:b", "{x}",
]  # fmt: skip
VERSIONS = [
    "1_0", "01", "+1", "-1", "0", "１", "1.0", "1e3", "0x1", "%201", "1%0A", "", "NaN", "true",
    "99999999999", "9" * 5000, "1%00",
]  # fmt: skip
SOURCES = [
    "file:///etc/passwd", "/etc/passwd", "../../x", "s3://other-bucket/x", "s3://x", "gs://b/x",
    "http://169.254.169.254/latest/meta-data", "https://example.com/x", "ftp://x", "dbfs:/x",
    "models:/acme.churn/1", "models:/churn@production", "models:/m-1", "models:/m-" + "g" * 32,
    "models:/m-" + "0" * 33, "runs:/x/model", "runs:/" + "0" * 32, "mlflow-artifacts:/x",
    "runs:/" + "0" * 32 + "/\0", "", " ", "models:/m-" + "0" * 32 + "\n",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_in_paths(api: Api, name: str) -> None:
    """No name of an odd shape finds, or breaks, anything."""
    for suffix in ("", "/versions", "/history"):
        started = time.perf_counter()
        refused(api.get(f"/models/{name}{suffix}"), started)


@pytest.mark.parametrize("version", VERSIONS)
def test_odd_versions_in_paths_and_queries(api: Api, version: str) -> None:
    """Versions are plain ASCII digits without a leading zero, and nothing else."""
    name = new_name()
    api.register(name)
    for path in (
        f"/models/{name}/versions/{version}",
        f"/models/{name}/versions/{version}/readiness?target=staging",
    ):
        started = time.perf_counter()
        answer = api.get(path)
        if version == "" and answer.status_code == 200:
            continue
        refused(answer, started)
    started = time.perf_counter()
    refused(api.call("DELETE", f"/models/{name}?reason=x&version={version}", "admin"), started)

    assert api.get(f"/models/{name}").json()["versions"] == ["1"]


@pytest.mark.parametrize(
    "name", ["", " ", "a\0b", "a\nb", "a/b", "ａ", "a" * 129, 1, None, ["a"], {}]
)
def test_odd_names_in_bodies(api: Api, name: object) -> None:
    """A malformed name is refused before any store is asked."""
    started = time.perf_counter()
    problem = refused(
        api.call("POST", "/models", json={"name": name, "source": api.acme.source}), started
    )

    assert problem["code"] in ("invalid_name", "invalid_input")


@pytest.mark.parametrize("version", ["1", 1.5, -1, 0, True, None, 2**31, 10**30, [1], "１"])
def test_odd_versions_in_bodies(api: Api, version: object) -> None:
    """A version in a body is a whole number from 1."""
    started = time.perf_counter()
    refused(
        api.call("PUT", "/models/x/stage", json={"version": version, "target_stage": "staging"}),
        started,
    )


@pytest.mark.parametrize("source", SOURCES)
def test_sources_beyond_the_tenants_own(api: Api, source: str) -> None:
    """No address but the tenant's own runs and models is ever taken."""
    started = time.perf_counter()
    refused(api.call("POST", "/models", json={"name": "x", "source": source}), started)


def test_no_connection_is_opened_to_a_source(api: Api) -> None:
    """A server that a source names is never spoken to, and a host name never looked up."""
    with canned_server() as canned, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.3)
        port = listener.getsockname()[1]
        for source in (canned.url, f"{canned.url}/m", f"http://127.0.0.1:{port}/x"):
            api.call("POST", "/models", json={"name": "x", "source": source})
        with pytest.raises(TimeoutError):
            listener.accept()

    assert canned.requests == []


JSON = {"Content-Type": "application/json"}
GOOD = {"name": "x", "source": "models:/m-" + "0" * 32}
BODIES = {
    "empty": b"",
    "not json": b"{",
    "two documents": b"{} {}",
    "duplicate keys": b'{"name":"a","name":"b","source":"models:/m-' + b"0" * 32 + b'"}',
    "NaN": b'{"name":"a","source":"x","metrics":{"auc":NaN}}',
    "infinity": b'{"name":"a","source":"x","metrics":{"auc":-Infinity}}',
    "overflow": b'{"name":"a","source":"x","metrics":{"auc":1e999}}',
    "long integer": b'{"name":"a","source":"x","metrics":{"auc":' + b"9" * 5000 + b"}}",
    "deep list": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "somewhat deep": b'{"name":"a","dataset":' + b'{"a":' * 40 + b"1" + b"}" * 41,
    "utf-16": '{"name":"a"}'.encode("utf-16"),
    "broken utf-8": b'{"name":"\xff"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "lone surrogate": b'{"name":"a","source":"x","description":"\\ud800"}',
    "NUL": json.dumps({**GOOD, "description": "a\0b"}).encode(),
    "NUL in a tag": json.dumps({**GOOD, "tags": {"a\0": "b"}}).encode(),
    "list": b"[]",
    "text": b'"x"',
    "null": b"null",
    "ten megabytes": b'{"name":"' + b"a" * 10_000_000 + b'"}',
    "metrics as text": json.dumps({**GOOD, "metrics": {"auc": "0.9"}}).encode(),
    "metric names": json.dumps({**GOOD, "metrics": {"../x": 1}}).encode(),
    "10,000 tags": json.dumps({**GOOD, "tags": {f"t{n}": "x" for n in range(10_000)}}).encode(),
    "framework": json.dumps({**GOOD, "framework": "spark"}).encode(),
    "long reason": json.dumps({**GOOD, "description": "x" * 6000}).encode(),
}  # fmt: skip


@pytest.mark.parametrize("case", BODIES)
def test_odd_bodies(api: Api, case: str) -> None:
    """Bodies that are not strictly the JSON asked for get a problem document."""
    started = time.perf_counter()
    refused(api.call("POST", "/models", content=BODIES[case], headers=JSON), started)


def test_a_body_without_a_declared_length_is_counted(api: Api) -> None:
    """Ten megabytes in chunks are refused as they come."""
    started = time.perf_counter()
    answer = api.call("POST", "/models", content=(b"a" * 100_000 for _ in range(100)), headers=JSON)

    assert refused(answer, started)["code"] == "body_too_large"


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/xml",
             "application/json; charset=utf-16", "multipart/form-data", "application/jsonx", "x"]
)  # fmt: skip
@pytest.mark.parametrize("path", ["/models", "/models/x/stage"])
def test_wrong_content_types(api: Api, kind: str | None, path: str) -> None:
    """A body that is not declared as JSON is not read as JSON."""
    method = "POST" if path == "/models" else "PUT"
    started = time.perf_counter()
    headers = {"Content-Type": kind} if kind else {}
    problem = refused(api.call(method, path, content=b"{}", headers=headers), started)

    assert problem["status"] in (400, 415)


QUERIES = [
    "/models?limit=1_0", "/models?limit=0", "/models?limit=501", "/models?limit=１",
    "/models?limit=", "/models?limit=1&limit=2", "/models?stage=deleted", "/models?stage=prod",
    "/models?framework=spark", "/models?order_by=x", "/models?after=x", "/models?after=%00",
    "/models?filter=1%3D1", "/experiments?limit=-1", "/experiments/compare",
    "/experiments/compare?run_ids=", "/experiments/compare?run_ids=%00",
    "/experiments/compare?run_ids=x'%20OR%20'1'='1", "/experiments/%00/runs",
    "/experiments/1'%20OR%201=1/runs", "/experiments/-1/runs", "/models/x/production?at=now",
    "/models/x/production?at=2026-01-01T00:00:00", "/models/x/production?at=123",
    "/models/x/production?at=0001-01-01T00:00:00%2B14:00", "/models/x/production?at=",
    "/models/x/versions/1/readiness", "/models/x/versions/1/readiness?target=deleted",
]  # fmt: skip


@pytest.mark.parametrize("path", QUERIES)
def test_odd_queries(api: Api, path: str) -> None:
    """Unknown, repeated and malformed parameters are refused, not guessed."""
    started = time.perf_counter()
    refused(api.get(path), started)


def test_five_thousand_runs_to_compare(api: Api) -> None:
    """Too many ids are refused, by number or by the length of the address."""
    for count in (501, 900, 5000):
        started = time.perf_counter()
        query = "&".join(f"run_ids={number:032x}" for number in range(count))
        connection = HTTPConnection("127.0.0.1", int(api.url.rpartition(":")[2]))
        path = f"/api/v1/experiments/compare?{query}"  # longer than httpx would send
        connection.request("GET", path, headers=api.acme.headers())
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if count == 5000:  # so long that uvicorn refuses it before the app hears of it
            assert (answer.status, b"Traceback" in body) == (400, False)
            continue
        refused(httpx.Response(answer.status, headers=answer.getheaders(), content=body), started)


@pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 201])
def test_odd_idempotency_keys(api: Api, key: str) -> None:
    """A key is 1 to 200 printable ASCII characters."""
    headers = {"Idempotency-Key": key.encode()}
    started = time.perf_counter()
    problem = refused(
        api.call("POST", "/models", json={"name": "x", "source": api.acme.source}, headers=headers),
        started,
    )

    assert problem["field"] == "Idempotency-Key"


def test_unknown_paths_and_methods(api: Api) -> None:
    """404 and 405 are problem documents as well."""
    headers = api.acme.headers()
    problems = [
        api.client.request(method, path, headers=headers)
        for method, path in (
            ("GET", "/nothing"),
            ("GET", "/api/v1/models/"),
            ("PATCH", "/api/v1/models"),
            ("TRACE", "/api/v1/models"),
            ("POST", "/healthz"),
        )
    ]

    assert [answer.status_code for answer in problems] == [404, 404, 405, 405, 405]
    assert {answer.headers["content-type"] for answer in problems} == {"application/problem+json"}


@pytest.mark.parametrize(
    "gate",
    [{"verdict": "OK"}, {"verdict": None}, {"gate": "x"}, {"bundle_digest": "x"},
     {"baseline": "01"}, {"summary": {"x": float("1e308") * 10}}, {"evidence_id": "a/b"},
     {"recorded_by": "me"}, {"summary": {"x": "y" * 70_000}}, {"tenant_id": "globex"}],
)  # fmt: skip
def test_odd_evidence(api: Api, gate: dict[str, Any]) -> None:
    """Nothing but a well-formed verdict about these files is recorded."""
    name = new_name()
    digest = api.register(name) and api.get(f"/models/{name}/versions/1").json()["bundle_digest"]
    evidence = {
        "evidence_id": new_name(), "gate": "shadow", "verdict": "PASS", "bundle_digest": digest,
        "baseline": None, "policy_fingerprint": "sha256:" + "0" * 64, **gate,
    }  # fmt: skip
    started = time.perf_counter()
    refused(
        api.call(
            "POST",
            f"/models/{name}/versions/1/evidence",
            "gatekeeper",
            content=json.dumps(evidence).encode(),
            headers=JSON,
        ),
        started,
    )

    assert api.get(f"/models/{name}/versions/1/evidence").json()["items"] == []


def test_names_of_models_may_look_odd_and_be_right(api: Api) -> None:
    """Dots, underscores and capitals are part of names."""
    name = f"A.b_c-{new_name()}"
    api.register(name)

    assert api.get(f"/models/{quote(name, safe='')}").json()["model_id"] == name
