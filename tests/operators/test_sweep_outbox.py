"""The sweep of the outbox as a task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.task_fixtures import CallRegistry, MakeContext, Register

from model_lifecycle.registry.domain.identifiers import ModelId, TenantId

if TYPE_CHECKING:
    from model_lifecycle.registry.model_registry import ModelRegistry


def _sweep(context: MakeContext) -> Any:
    from model_lifecycle.operators import SweepOutboxOperator

    task = SweepOutboxOperator(task_id="sweep")
    return task.execute(context(task))


def test_the_task_shows_what_a_writer_left(
    register: Register, context: MakeContext, ask: CallRegistry, registry_home: Path, tenant: str
) -> None:
    """The tags of a version follow, and the result says what is left for a later sweep."""
    from mlflow import MlflowClient

    register()
    by_hand = MlflowClient(f"sqlite:///{registry_home}/mlflow.db")
    by_hand.set_model_version_tag(f"{tenant}.heart", "1", "lifecycle.stage", "staging")

    async def leave(registry: ModelRegistry) -> None:
        ledger = registry._stores.ledger
        await ledger.requeue_sync(TenantId(tenant), ModelId("heart"), [1], "left")

    async def pending(registry: ModelRegistry) -> list[str]:
        read = registry._stores.ledger.read
        return [row["token"] for row in await read.projections(TenantId(tenant), ModelId("heart"))]

    ask(leave)
    outcome = _sweep(context)

    assert by_hand.get_model_version(f"{tenant}.heart", "1").tags["lifecycle.stage"] == (
        "development"
    )
    assert ask(pending) == ["left"], "its request may still be on its way"
    # Tests before this one may have left changes of their own tenants.
    assert outcome["pending"] >= 1
    assert outcome["oldest_seconds"] >= 0


def test_roles_of_the_connection_bind_the_sweep(
    registry_home: Path, context: MakeContext, ask: CallRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the connection does not let Airflow reconcile, Airflow does not sweep."""
    from airflow.sdk.exceptions import AirflowFailException

    extra = {"home": str(registry_home), "roles": "viewer"}
    connection = json.dumps({"conn_type": "model_registry", "extra": extra})
    monkeypatch.setenv("AIRFLOW_CONN_MODEL_REGISTRY_DEFAULT", connection)

    with pytest.raises(AirflowFailException, match=r"^permission_denied"):
        _sweep(context)
