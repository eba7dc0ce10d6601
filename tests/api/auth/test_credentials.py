from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi.routing import APIRoute
from jwt.algorithms import RSAAlgorithm
from support.http import Api, Tenant, served
from support.servers.canned import canned_server

from model_lifecycle.api import ApiSettings, create_app
from model_lifecycle.api.app import ROUTERS
from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.ledger.api_keys import ApiKeys
from model_lifecycle.registry.settings import Settings
from model_lifecycle.registry.sync import run_sync

PROBES = {"/healthz", "/readyz", "/metrics"}
#: The description of the API, which is the same for everyone: a browser opens it without a key.
DESCRIPTION = {"/": 307, "/docs": 200, "/docs/start.js": 200, "/openapi.json": 200}
NAMES = {"model_id": "churn", "version": "1", "exp_id": "1", "evidence_id": "e-1"}


def every_path() -> list[tuple[str, str]]:
    """Every route of the app, with something in the place of its parameters."""
    return [
        (method, route.path.format(**NAMES))
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    ]


@pytest.mark.parametrize(("method", "path"), every_path())
def test_nothing_is_answered_without_a_credential(api: Api, method: str, path: str) -> None:
    """401 for every route but probes and description; the same for credentials that are none."""
    expected = {200} if path in PROBES else {DESCRIPTION.get(path, 401)}
    headers: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer mlk_" + "0" * 16 + "_" + "A" * 43},
        {"Authorization": "Basic YWNtZTphY21l"},
        {"Authorization": f"Token {api.acme.keys['admin']}"},
        {"Cookie": f"_token={api.acme.keys['admin']}"},
        {"X-API-Key": api.acme.keys["admin"]},
    ]
    answers = [api.client.request(method, path, headers=item) for item in headers]

    assert {answer.status_code for answer in answers} == expected
    if expected == {401}:
        assert {answer.headers["www-authenticate"].split()[0] for answer in answers} == {"Bearer"}
        assert len({answer.json()["detail"] for answer in answers}) == 1


@pytest.mark.parametrize(
    "path",
    ["/static/x", "/docs/other", "/docs/assets", "/redoc", "/nothing", "/api/v1", "//healthz"],
)
def test_unknown_paths_ask_for_a_credential_too(api: Api, path: str) -> None:
    """Without one, a path that does not exist is 401 like any other."""
    assert api.client.get(f"{api.url}{path}").status_code == 401


def test_the_description_opens_in_a_browser(api: Api) -> None:
    """Without a credential, and all that the page loads comes from here."""
    page = api.client.get("/", follow_redirects=True)
    loaded = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    answers = [api.client.get(f"/{address}") for address in loaded]

    assert (page.status_code, page.url.path) == (200, "/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert len(loaded) == 5
    assert [answer.status_code for answer in answers] == [200] * 5
    assert "SwaggerUIBundle(" in api.client.get("/docs/start.js").text


def test_files_beside_those_of_the_description_are_not_served(api: Api) -> None:
    """A path that leads out of their folder is not found."""
    for path in ("/docs/assets/../core.py", "/docs/assets/%2e%2e/core.py", "/docs/assets/nothing"):
        assert api.client.get(path).status_code in (401, 404)


def test_a_key_that_expired_or_was_revoked_is_none(api: Api) -> None:
    """It stops working, within the seconds that keys are remembered."""

    async def made(life: timedelta) -> tuple[str, str]:
        keys = await ApiKeys.open(api.settings.database_url)
        key, known = await keys.create("acme", "short", ["viewer"], life=life, created_by="kim")
        await keys.close()
        return key, known.key_id

    async def revoke(key_id: str) -> None:
        keys = await ApiKeys.open(api.settings.database_url)
        await keys.revoke("acme", key_id, revoked_by="kim")
        await keys.close()

    def status(key: str) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return api.client.get("/api/v1/models", headers=headers).status_code

    (short, _), (long, long_id) = (
        run_sync(made(timedelta(seconds=2))),
        run_sync(made(timedelta(days=1))),
    )
    before = [status(short), status(long)]
    run_sync(revoke(long_id))
    time.sleep(2.2)

    assert (before, [status(short), status(long)]) == ([200, 200], [401, 401])


def test_the_database_does_not_hold_keys(api: Api) -> None:
    """Only hashes are kept."""
    data = b"".join(path.read_bytes() for path in Path(api.settings.home).glob("ledger.db*"))

    assert api.acme.keys["admin"].split("_")[1].encode() in data
    assert api.acme.keys["admin"].split("_", 2)[2].encode() not in data


# --- JWT

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ISSUER, AUDIENCE = "https://id.example.com", "model-lifecycle"


@pytest.fixture(scope="module")
def signed(api_settings: Settings, tenants: list[Tenant]) -> Iterator[httpx.Client]:
    """A server that takes tokens of a provider, whose key set a small server gives."""
    public = {**json.loads(RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "one", "use": "sig"}
    with canned_server(body=json.dumps({"keys": [public]}).encode()) as provider:
        api = ApiSettings(
            {}, jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_jwks_url=f"{provider.url}/jwks"
        )
        with (
            served(create_app(api_settings, api=api)) as url,
            httpx.Client(base_url=url, timeout=30) as client,
        ):
            yield client


def token(
    key: Any = KEY, algorithm: str = "RS256", kid: str = "one", drop: str = "", **changes: Any
) -> str:
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ann",
        "exp": int(time.time()) + 600,
        "tenant": "acme",
        "roles": ["viewer", "other"],
        **changes,
    }
    claims.pop(drop, None)
    return jwt.encode(claims, key, algorithm, headers={"kid": kid})


def status_for(client: httpx.Client, text: str) -> int:
    headers = {"Authorization": f"Bearer {text}"}
    return client.get("/api/v1/models", headers=headers).status_code


def test_a_signed_token_is_a_credential(signed: httpx.Client) -> None:
    """The provider's signature, issuer, audience and time make it one."""
    assert status_for(signed, token()) == 200
    assert status_for(signed, token(roles="viewer admin")) == 200


def test_a_token_without_one_of_our_roles_may_nothing(signed: httpx.Client) -> None:
    """403: known, but without a role."""
    assert status_for(signed, token(roles=["other"])) == 403
    assert status_for(signed, token(drop="roles")) == 403


BAD: dict[str, Callable[[], str]] = {
    "expired": lambda: token(exp=int(time.time()) - 60),
    "not yet": lambda: token(nbf=int(time.time()) + 600),
    "issuer": lambda: token(iss="https://evil.example.com"),
    "audience": lambda: token(aud="other"),
    "no audience": lambda: token(drop="aud"),
    "no expiry": lambda: token(drop="exp"),
    "no subject": lambda: token(drop="sub"),
    "no tenant": lambda: token(drop="tenant"),
    "odd tenant": lambda: token(tenant="acme.churn"),
    "tenant list": lambda: token(tenant=["acme"]),
    "other key": lambda: token(OTHER),
    "unknown key id": lambda: token(kid="two"),
    "none": lambda: token(None, "none"),
    "hmac with the public key": lambda: token("x" * 32, "HS256"),
    "other algorithm": lambda: token(KEY, "PS256"),
    "changed": lambda: token()[:-6] + "AAAAAA",
    "not a token": lambda: "a.b.c",
    "long": lambda: "a" * 9000,
}


@pytest.mark.parametrize("case", BAD)
def test_a_token_that_is_wrong_in_one_respect_is_none(signed: httpx.Client, case: str) -> None:
    """401, without a word about what was wrong."""
    assert status_for(signed, BAD[case]()) == 401


def test_only_public_key_algorithms_can_be_configured() -> None:
    """HMAC and none are refused as a setting."""
    for algorithms in ("HS256", "none", "RS256,HS256"):
        with pytest.raises(InvalidInput):
            ApiSettings({"MODEL_LIFECYCLE_API_JWT_ALGORITHMS": algorithms})
    with pytest.raises(InvalidInput):
        ApiSettings({"MODEL_LIFECYCLE_API_JWT_ISSUER": "https://id.example.com"})
