"""The API on a running server, its tenants and their keys."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from support.registry_fixture import trained
from support.servers.postgres import free_port

from model_lifecycle.api import ApiSettings
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.ledger.api_keys import ApiKeys
from model_lifecycle.registry.settings import Settings

#: Limits small enough for tests to reach.
LIMITS = ApiSettings(
    {},
    max_upload=4 * 1024 * 1024,
    max_expanded=8 * 1024 * 1024,
    max_entries=50,
    key_cache_seconds=0.2,
)
ROLES = ("viewer", "contributor", "gatekeeper", "promoter", "admin")


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Address of ``app`` on a real server, in a thread of this process."""
    port = free_port()
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="error", access_log=False, lifespan="on"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = threading.Event()
    for _ in range(600):
        if server.started or not thread.is_alive():
            break
        deadline.wait(0.05)
    assert server.started, "the server did not start"
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


@dataclass
class Tenant:
    """A tenant, with the address of a model it has logged and a key for each role."""

    tenant_id: str
    source: str = ""
    run_id: str = ""
    keys: dict[str, str] = field(default_factory=dict)

    def headers(self, role: str = "admin") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[role]}"}


@dataclass
class Api:
    """A server, and its tenants. ``client`` sends no credential of its own accord."""

    url: str
    settings: Settings
    acme: Tenant
    globex: Tenant
    client: httpx.Client

    def call(
        self,
        method: str,
        path: str,
        role: str = "admin",
        tenant: Tenant | None = None,
        **fields: Any,
    ) -> httpx.Response:
        """A request of ``tenant`` (default: acme) with the key of ``role``."""
        headers = {**(tenant or self.acme).headers(role), **dict(fields.pop("headers", None) or {})}
        return self.client.request(method, f"/api/v1{path}", headers=headers, **fields)

    def get(self, path: str, role: str = "viewer", **fields: Any) -> httpx.Response:
        return self.call("GET", path, role, **fields)

    def openapi(self) -> dict[str, Any]:
        document: dict[str, Any] = self.client.get(
            "/openapi.json", headers=self.acme.headers()
        ).json()
        return document

    def register(self, name: str, tenant: Tenant | None = None, **fields: Any) -> dict[str, Any]:
        """Register a version of ``name`` from the tenant's source; the model it gave."""
        source = (tenant or self.acme).source
        answer = self.call(
            "POST",
            "/models",
            "contributor",
            tenant,
            json={"name": name, "source": source},
            **fields,
        )
        assert answer.status_code == 201, answer.text
        model: dict[str, Any] = answer.json()
        return model


async def furnished(settings: Settings, *names: str) -> list[Tenant]:
    """Tenants with a logged model and keys, in the registry at ``settings``."""
    tenants = [Tenant(name) for name in names]
    async with open_registry(settings) as registry:
        for tenant in tenants:
            logged = await registry.log_model(
                tenant.tenant_id, "origin", trained(), created_by="kim"
            )
            tenant.source, tenant.run_id = logged.model_uri, logged.run_id
    keys = await ApiKeys.open(settings.database_url)
    for tenant in tenants:
        for role in ROLES:
            key, _ = await keys.create(
                tenant.tenant_id, role, [role], life=timedelta(days=1), created_by="kim"
            )
            tenant.keys[role] = key
    await keys.close()
    return tenants
