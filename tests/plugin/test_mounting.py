from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from support.http import served

from model_lifecycle.api.app import ROUTERS
from model_lifecycle.api.middleware.authentication import DESCRIPTION
from model_lifecycle.operators.runtime.api_mount import URL_PREFIX
from model_lifecycle.plugin.airflow_plugin import ModelLifecyclePlugin

#: Airflow's API imports Starlette's test client.
pytestmark = pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient`")
ACCESS = {
    "users": {"ann": {"tenant": "acme", "roles": ["admin"]}},
    "roles": {"OP": {"tenant": "acme", "roles": ["viewer"]}},
}


@pytest.fixture(scope="module")
def mounted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Any]]:
    """Airflow's own API app with our plugin's app mounted by Airflow's code; its auth manager."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL_LIFECYCLE_HOME", str(tmp_path_factory.mktemp("mounted")))
        patch.setenv("MODEL_LIFECYCLE_API_AIRFLOW_ACCESS", json.dumps(ACCESS))
        patch.setenv(
            "AIRFLOW__API_AUTH__JWT_SECRET", "a secret of the tests, long enough for HS512" * 2
        )
        from airflow.api_fastapi.app import get_auth_manager, init_auth_manager
        from airflow.models.revoked_token import RevokedToken
        from airflow.settings import engine

        RevokedToken.__table__.create(engine, checkfirst=True)
        (mount,) = ModelLifecyclePlugin().fastapi_apps
        app = mount["app"]
        # As Airflow does: the lifespan of what it mounts runs within its own.
        root = FastAPI(lifespan=lambda _: app.router.lifespan_context(app))
        init_auth_manager(root)
        root.mount(mount["url_prefix"], app)
        with served(root) as url, httpx.Client(base_url=url, timeout=30) as client:
            yield client, get_auth_manager()


def user(manager: Any, name: str, role: str | None) -> dict[str, str]:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    token = manager.generate_jwt(SimpleAuthManagerUser(username=name, role=role))
    return {"Authorization": f"Bearer {token}"}


def routes() -> list[tuple[str, str]]:
    return [
        (method, route.path.format(model_id="churn", version="1", exp_id="1", evidence_id="1"))
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    ]


def test_no_route_is_open(mounted: tuple[httpx.Client, Any]) -> None:
    """Every route, probes included, and every other path is 401; the API's description, the same
    for everyone, opens."""
    client, _ = mounted
    paths = [*routes(), ("GET", "/static/x"), ("GET", "/"), ("GET", "/redoc"), ("GET", "/x")]
    answers = {
        (method, path): client.request(method, f"{URL_PREFIX}{path}").status_code
        for method, path in paths
    }

    opened = {path for (_, path), status in answers.items() if status != 401}

    assert opened == DESCRIPTION
    assert len(answers) > 25
    assert ("GET", "/openapi.json") in answers


def test_the_description_opens_below_the_mount(mounted: tuple[httpx.Client, Any]) -> None:
    """In a browser, before any login: each file of the page is found from the page's own address,
    none of them on another host, and the requests it sends go below the mount."""
    client, _ = mounted
    page = client.get(f"{URL_PREFIX}/docs")
    names = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    files = {name: client.get(page.url.join(name)) for name in [*names, "openapi.json"]}

    assert page.headers["content-type"].startswith("text/html")
    assert {"docs/assets/swagger-ui-bundle.js", "docs/assets/swagger-ui.css"} <= set(files)
    assert {answer.status_code for answer in files.values()} == {200}
    assert {answer.url.host for answer in files.values()} == {page.url.host}
    assert {answer.url.path.split("/")[1] for answer in files.values()} == {URL_PREFIX.strip("/")}
    assert 'url: "openapi.json"' in files["docs/start.js"].text
    assert files["openapi.json"].json()["servers"] == [{"url": URL_PREFIX}]


def test_users_and_roles_lead_to_tenants_by_the_setting(mounted: tuple[httpx.Client, Any]) -> None:
    """A named user and a named role are admitted with what the setting gives them."""
    client, manager = mounted
    path = f"{URL_PREFIX}/api/v1/models"
    reads = [
        client.get(path, headers=user(manager, name, role)).status_code
        for name, role in (("ann", "VIEWER"), ("bob", "OP"), ("eve", "ADMIN"), ("eve", None))
    ]
    body = {"name": "x", "source": "models:/m-" + "0" * 32}
    write = client.post(path, json=body, headers=user(manager, "bob", "OP"))

    assert (reads, write.status_code) == ([200, 200, 403, 403], 403)


def test_an_api_key_or_a_forged_token_is_no_login(mounted: tuple[httpx.Client, Any]) -> None:
    """Mounted, only Airflow's own credentials count."""
    client, _ = mounted
    for text in ("mlk_" + "0" * 16 + "_" + "A" * 43, "a.b.c", "x"):
        headers = {"Authorization": f"Bearer {text}"}

        assert client.get(f"{URL_PREFIX}/api/v1/models", headers=headers).status_code == 401


def test_a_change_by_cookie_needs_a_header_of_its_own(mounted: tuple[httpx.Client, Any]) -> None:
    """A form on another site cannot send X-Requested-With."""
    client, manager = mounted
    cookie = user(manager, "ann", "VIEWER")["Authorization"].removeprefix("Bearer ")
    path = f"{URL_PREFIX}/api/v1/models/none/policy"

    def send(**headers: str) -> tuple[int, str]:
        answer = client.put(
            path, json={"policy": {}}, headers={"Cookie": f"_token={cookie}", **headers}
        )
        return answer.status_code, answer.json()["code"]

    assert send() == (403, "header_required")
    assert send(**{"X-Requested-With": "fetch"})[1] == "model_not_found"


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"user": {}}', '{"users": {"ann": {"tenant": "acme"}}}',
     '{"users": {"ann": {"tenant": "a.b", "roles": ["viewer"]}}}',
     '{"roles": {"Op": {"tenant": "acme", "roles": ["king"]}}}',
     '{"roles": {"Op": {"tenant": "acme", "roles": "admin"}}}'],
)  # fmt: skip
def test_a_mistake_in_the_setting_admits_nobody(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the error, and Airflow's server goes on."""
    from model_lifecycle.api.http.errors import HttpError
    from model_lifecycle.plugin.auth import AirflowAccess

    class User:
        roles = ("Op",)

        def get_name(self) -> str:
            return "ann"

    with pytest.raises(HttpError):
        AirflowAccess.from_setting(text).caller(User())

    assert "nobody is admitted" in caplog.text


def test_roles_of_two_tenants_lead_to_none() -> None:
    """Nothing is guessed: such a user has to be named."""
    from model_lifecycle.api.http.errors import HttpError
    from model_lifecycle.plugin.auth import AirflowAccess

    class User:
        roles = ("A", "B")

        def get_name(self) -> str:
            return "ann"

    grants = {name: {"tenant": name.lower(), "roles": ["viewer"]} for name in ("A", "B")}
    access = AirflowAccess.parse(json.dumps({"roles": grants}))

    with pytest.raises(HttpError):
        access.caller(User())
