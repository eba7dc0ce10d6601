from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.task_fixtures import MakeContext

from model_lifecycle.registry.domain.authorization import Role
from model_lifecycle.registry.domain.errors import InvalidInput

if TYPE_CHECKING:
    from model_lifecycle.operators import ModelRegistryHook


@pytest.fixture
def hook(no_registry: None) -> ModelRegistryHook:
    from model_lifecycle.operators import ModelRegistryHook

    return ModelRegistryHook()


def _connect(monkeypatch: pytest.MonkeyPatch, **extra: object) -> None:
    connection = {"conn_type": "model_registry", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MODEL_REGISTRY_DEFAULT", json.dumps(connection))


def test_connection_fields_override_the_environment(
    hook: ModelRegistryHook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A filled field decides; an empty one leaves the word to the environment."""
    monkeypatch.setenv("MODEL_LIFECYCLE_HOME", str(tmp_path))
    monkeypatch.setenv("MODEL_LIFECYCLE_CALL_TIMEOUT", "9")
    _connect(monkeypatch, tracking_uri="https://mlflow.example.com", call_timeout=None, home="")

    settings = hook.settings()

    assert settings.tracking_uri == "https://mlflow.example.com"
    assert (settings.home, settings.call_timeout) == (tmp_path, 9.0)


def test_environment_alone_will_do(
    hook: ModelRegistryHook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the default connection the environment says where the registry is."""
    monkeypatch.setenv("MODEL_LIFECYCLE_HOME", str(tmp_path))

    assert hook.settings().home == tmp_path


def test_neither_connection_nor_environment_is_refused(hook: ModelRegistryHook) -> None:
    """A worker's current folder is no registry: without a word about it, the hook refuses."""
    from airflow.sdk.exceptions import AirflowException

    with pytest.raises(AirflowException, match="nothing says where the registry is"):
        hook.settings()


def test_other_connection_must_exist(
    no_registry: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A connection that was asked for by name is not replaced by the environment."""
    from airflow.sdk.exceptions import AirflowNotFoundException

    from model_lifecycle.operators import ModelRegistryHook

    monkeypatch.setenv("MODEL_LIFECYCLE_HOME", str(tmp_path))

    with pytest.raises(AirflowNotFoundException):
        ModelRegistryHook("model_registry_prod").settings()


def test_misspelt_field_is_refused(
    hook: ModelRegistryHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt address does not send tasks to another registry."""
    _connect(monkeypatch, traking_uri="https://mlflow.example.com")

    with pytest.raises(InvalidInput, match="no field 'traking_uri'") as caught:
        hook.settings()

    assert caught.value.field == "traking_uri"


async def test_trigger_and_worker_read_the_same(
    hook: ModelRegistryHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The async way to the connection gives what the other gives."""
    _connect(monkeypatch, home="/tmp/x", roles="viewer")

    assert await hook.aconnection() == hook.connection()


def test_actor_holds_the_roles_of_the_connection(
    hook: ModelRegistryHook, monkeypatch: pytest.MonkeyPatch, context: MakeContext
) -> None:
    """The connection says what Airflow's tasks may do; the run says for whom."""
    from airflow.sdk import BaseOperator

    _connect(monkeypatch, home="/tmp/x", roles="contributor, gatekeeper")

    actor = hook.principal(context(BaseOperator(task_id="t")))

    assert actor.roles == {Role.CONTRIBUTOR, Role.GATEKEEPER}
    assert str(actor) == "airflow:lifecycle/manual__2013-07-01T00:00:00+00:00 for kim"


@pytest.mark.parametrize("user", [None, "dag_test"])
def test_scheduled_run_acts_for_nobody(
    hook: ModelRegistryHook, monkeypatch: pytest.MonkeyPatch, context: MakeContext, user: str | None
) -> None:
    """Where no person started the run, or Airflow does not know who, the actor is the DAG."""
    from airflow.sdk import BaseOperator

    _connect(monkeypatch, home="/tmp/x")

    actor = hook.principal(context(BaseOperator(task_id="t"), user=user))

    assert actor.on_behalf_of is None
    assert actor.roles == set(Role)


@pytest.mark.parametrize(
    ("extra", "site"),
    [
        ({"tracking_uri": "https://mlflow.example.com/"}, "https://mlflow.example.com"),
        ({"tracking_uri": "http://mlflow:5000", "tracking_ui_url": "https://ml"}, "https://ml"),
        ({"tracking_uri": "sqlite:////tmp/m.db"}, None),
        ({"tracking_uri": "https://user:secret@mlflow"}, None),
    ],
)
def test_links_lead_to_pages_only(
    no_registry: None, extra: dict[str, str], site: str | None
) -> None:
    """A link is an HTTP address without credentials, or there is none."""
    from model_lifecycle.operators.hooks.connection import read_connection

    assert read_connection(extra).tracking_site == site
