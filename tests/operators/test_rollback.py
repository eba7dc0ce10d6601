from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.servers.postgres import free_port
from support.task_fixtures import CallRegistry, History, MakeContext, ModelNames, Register

if TYPE_CHECKING:
    from model_lifecycle.operators import RollbackModelOperator


def _roll_back(model: ModelNames, **given: Any) -> RollbackModelOperator:
    from model_lifecycle.operators import RollbackModelOperator

    return RollbackModelOperator(task_id="rollback", reason="calls rose by 40 %", **model, **given)


@pytest.mark.parametrize("to_version", [None, "", "None", 1, "1"])
def test_rollback_brings_the_earlier_version_back(
    in_production: Register,
    ask: CallRegistry,
    model: ModelNames,
    context: MakeContext,
    to_version: str | int | None,
    history: History,
) -> None:
    """With or without a version given, production is what it was, and the ledger says why."""
    in_production()
    in_production()
    task = _roll_back(model, to_version=to_version)
    result = task.execute(context(task, run_id="back"))
    entry = history()[-1]

    assert (result["version"], result["previous_production"], result["changed"]) == (1, 2, True)
    assert (entry.kind, entry.reason) == ("rolled_back", "calls rose by 40 %")


def test_retried_rollback_goes_back_once(
    in_production: Register, ask: CallRegistry, model: ModelNames, context: MakeContext
) -> None:
    """The next try finds what the first one did, and does not go back further."""
    for _ in range(3):
        in_production()
    task = _roll_back(model)
    first, second = (task.execute(context(task, run_id="b", try_number=n)) for n in (1, 2))
    metadata = ask(lambda registry: registry.get_model(**model))

    assert first["replayed"] is False
    assert second == {**first, "changed": False, "replayed": True}
    assert metadata is not None
    assert metadata.production_version == 2


def test_rollback_without_an_earlier_version_fails(
    in_production: Register, model: ModelNames, context: MakeContext, ask: CallRegistry
) -> None:
    """There is nothing to go back to; the task says so and is not tried again."""
    from airflow.sdk.exceptions import AirflowFailException

    in_production()
    task = _roll_back(model)

    with pytest.raises(AirflowFailException):
        task.execute(context(task, run_id="back"))


def test_a_rollback_without_mlflow_is_decided_in_the_ledger(
    in_production: Register,
    model: ModelNames,
    context: MakeContext,
    history: History,
    registry_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The task succeeds although MLflow does not answer, and the entry says so."""
    in_production()
    in_production()
    extra = {"home": str(registry_home), "tracking_uri": f"http://127.0.0.1:{free_port()}"}
    connection = json.dumps({"conn_type": "model_registry", "extra": extra})
    monkeypatch.setenv("AIRFLOW_CONN_MODEL_REGISTRY_DEFAULT", connection)
    task = _roll_back(model, without_verification=True)
    result = task.execute(context(task, run_id="down"))
    entry = history()[-1]

    assert (result["version"], result["changed"]) == (1, True)
    assert set(entry.detail["without_verification"]) == {"mlflow"}
