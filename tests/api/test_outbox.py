"""The API's process sweeps the outbox by itself, and shows its depth and age."""

from __future__ import annotations

import re
import time
from typing import Any

from support.http import Api
from support.registry_fixture import new_name

from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.ledger.ledger import Ledger
from model_lifecycle.registry.sync import run_sync


def _left_behind(api: Api) -> str:
    """A version in production, which MLflow's alias does not show: its writer got no answer."""
    from mlflow import MlflowClient

    name = new_name()
    api.register(name)
    for stage in ("staging", "production"):
        body = {"version": 1, "target_stage": stage, "reason": "drill", "force": True}
        assert api.call("PUT", f"/models/{name}/stage", json=body).status_code == 200
    client = MlflowClient(api.settings.tracking_uri, api.settings.tracking_uri)
    client.delete_registered_model_alias(f"acme.{name}", "production")

    async def leave() -> None:
        ledger = await Ledger.open(api.settings.database_url)
        await ledger.requeue_sync(TenantId("acme"), ModelId(name), [1], new_name("row"))
        await ledger.close()

    run_sync(leave())
    return name


def _aliases(api: Api, name: str) -> dict[str, Any]:
    from mlflow import MlflowClient

    client = MlflowClient(api.settings.tracking_uri, api.settings.tracking_uri)
    aliases: dict[str, Any] = client.get_registered_model(f"acme.{name}").aliases
    return aliases


def _gauge(api: Api, name: str) -> float:
    match = re.search(rf"^{name} (\S+)$", api.client.get("/metrics").text, re.MULTILINE)
    assert match is not None
    return float(match[1])


def test_the_process_finishes_what_a_writer_left(api: Api) -> None:
    """Within seconds, and without a call; metrics and readiness count the change until no request
    of its writer can arrive any more."""
    name = _left_behind(api)
    started = time.monotonic()
    while not _aliases(api, name) and time.monotonic() < started + 15:
        time.sleep(0.1)
    took = time.monotonic() - started
    time.sleep(1.2)
    ready = api.client.get("/readyz").json()

    assert took < 8
    assert _aliases(api, name)["production"] in ("1", 1)
    assert ready["ready"]
    assert ready["outbox"]["pending"] >= 1
    assert 0 <= ready["outbox"]["oldest_seconds"] < 60
    assert _gauge(api, "model_lifecycle_outbox_pending") >= 1
    assert 0 < _gauge(api, "model_lifecycle_outbox_oldest_seconds") < 60
    assert _gauge(api, "model_lifecycle_outbox_swept_total") >= 0
