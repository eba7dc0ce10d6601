from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.task_fixtures import CallRegistry, MakeContext, ModelNames, Register

if TYPE_CHECKING:
    from model_lifecycle.operators import ModelStageSensor


def _sensor(model: ModelNames, **given: Any) -> ModelStageSensor:
    from model_lifecycle.operators import ModelStageSensor

    return ModelStageSensor(task_id="wait", poke_interval=0.05, timeout=5, **model, **given)


@pytest.mark.parametrize("deferrable", [False, True])
def test_sensor_finds_the_version_in_the_stage(
    in_production: Register,
    ask: CallRegistry,
    model: ModelNames,
    context: MakeContext,
    deferrable: bool,
) -> None:
    """Waiting for what is so already ends at once, in both ways with the same answer."""
    version = in_production()
    task = _sensor(model, deferrable=deferrable)

    assert task.execute(context(task)) == {"version": version, "stage": "production"}


def test_sensor_of_another_version_waits(
    in_production: Register, ask: CallRegistry, model: ModelNames, context: MakeContext
) -> None:
    """A version that is not in the stage is waited for, whatever others are."""
    in_production()

    assert not _sensor(model, version="2").poke(context(_sensor(model)))


def test_deferred_sensor_resumes_with_the_trigger_s_answer(
    register: Register, ask: CallRegistry, model: ModelNames, context: MakeContext
) -> None:
    """Sensor, trigger after a restart and resumed task agree on what was found."""
    import asyncio
    import json

    from airflow.sdk._shared.module_loading import import_string
    from airflow.sdk.exceptions import TaskDeferred

    register()
    task = _sensor(model, deferrable=True, stage="production", version=1)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context(task))
    path, kwargs = deferred.value.trigger.serialize()
    trigger = import_string(path)(**json.loads(json.dumps(kwargs)))
    trigger.stage = "development"
    event = asyncio.run(anext(trigger.run()))

    assert (deferred.value.method_name, trigger.serialize()[0]) == ("execute_complete", path)
    assert deferred.value.timeout.total_seconds() == 5
    assert task.execute_complete(context(task), event.payload) == {
        "version": 1,
        "stage": "development",
    }


async def test_trigger_tells_what_waiting_cannot_mend(ask: CallRegistry, tenant: str) -> None:
    """A misspelt stage ends the wait with its code."""
    from model_lifecycle.operators import ModelStageTrigger

    trigger = ModelStageTrigger(
        tenant_id=tenant,
        model_id="heart",
        version=None,
        stage="prod",
        model_registry_conn_id="model_registry_default",
        poll_interval=0.05,
    )
    event = await anext(trigger.run())

    assert (event.payload["status"], event.payload["code"]) == ("error", "invalid_input")


@pytest.mark.parametrize(
    "event", [None, {}, {"status": "error", "message": "gone"}, {"status": "?"}]
)
def test_every_other_event_fails_the_sensor(
    model: ModelNames, context: MakeContext, event: dict[str, str] | None
) -> None:
    """The resumed task succeeds for a success and for nothing else."""
    from airflow.sdk.exceptions import AirflowException

    task = _sensor(model, deferrable=True)

    with pytest.raises(AirflowException, match="ended"):
        task.execute_complete(context(task), event)
