from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support.task_fixtures import CallRegistry, MakeContext, ModelNames, Register

if TYPE_CHECKING:
    from model_lifecycle.operators import NewModelVersionSensor


def _sensor(model: ModelNames, **given: Any) -> NewModelVersionSensor:
    from model_lifecycle.operators import NewModelVersionSensor

    return NewModelVersionSensor(task_id="wait", poke_interval=0.05, timeout=5, **model, **given)


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("after", [0, "1", 1])
def test_sensor_finds_versions_above_a_number(
    register: Register,
    ask: CallRegistry,
    model: ModelNames,
    context: MakeContext,
    deferrable: bool,
    after: int | str,
) -> None:
    """Versions that exist already count at once: the newest, and the numbers of all."""
    register()
    register()
    task = _sensor(model, after=after, deferrable=deferrable)
    result = task.execute(context(task))

    assert (result["version"], result["stage"], result["created_by"]) == (2, "development", "x")
    assert result["versions"] == [n for n in (1, 2) if n > int(after)]
    assert result["bundle_digest"].startswith("sha256:")


def test_sensor_waits_for_the_next_version(
    register: Register, ask: CallRegistry, model: ModelNames, context: MakeContext
) -> None:
    """Without a number, only what comes after the task began is new."""
    register()
    stored: dict[str, Any] = {}
    task = _sensor(model)
    before = task.poke(context(task, stored=stored)).is_done
    register()

    result = task.poke(context(task, stored=stored)).xcom_value

    assert result is not None
    assert (before, result["version"]) == (False, 2)


def test_retry_misses_no_version(
    register: Register, ask: CallRegistry, model: ModelNames, context: MakeContext
) -> None:
    """A version that was registered between two tries is new to the second try."""
    register()
    stored: dict[str, Any] = {}
    first = _sensor(model)
    first.poke(context(first, stored=stored))
    register()
    retry = _sensor(model)
    result = retry.execute(context(retry, try_number=2, stored=stored))

    assert result["versions"] == [2]


async def test_trigger_tells_the_same_as_the_sensor(
    register: Register, ask: CallRegistry, model: ModelNames, context: MakeContext
) -> None:
    """A trigger after a restart finds what the waiting task would have found."""
    import asyncio

    from airflow.sdk._shared.module_loading import import_string
    from airflow.sdk.exceptions import TaskDeferred

    await asyncio.to_thread(register)
    task = _sensor(model, after=1, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context(task))
    path, kwargs = deferred.value.trigger.serialize()
    trigger = import_string(path)(**json.loads(json.dumps(kwargs)))
    wait = asyncio.create_task(anext(trigger.run()))
    await asyncio.to_thread(register)
    event = await asyncio.wait_for(wait, 10)

    assert trigger.serialize() == (path, kwargs)
    assert task.execute_complete(context(task), event.payload) == task.execute(context(task))


@pytest.mark.parametrize("event", [None, {}, {"status": "error", "message": "x"}])
def test_every_other_event_fails_the_sensor(
    model: ModelNames, context: MakeContext, event: dict[str, str] | None
) -> None:
    """The resumed task succeeds for a success and for nothing else."""
    from airflow.sdk.exceptions import AirflowException

    task = _sensor(model, deferrable=True)

    with pytest.raises(AirflowException, match="new version of heart ended"):
        task.execute_complete(context(task), event)
