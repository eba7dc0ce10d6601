"""The gates as tasks: mapped over days, following traffic, and on A/B traffic."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.task_fixtures import CallRegistry, MakeContext, ModelNames, Register

if TYPE_CHECKING:
    from airflow.triggers.base import TriggerEvent

    from model_lifecycle.registry.model_registry import ModelRegistry


DAYS = 12
WINDOW: dict[str, Any] = {"start": "2013-07-01", "end": "2013-07-13"}


@pytest.fixture
def version(register: Register, ask: CallRegistry, model: ModelNames) -> int:
    """A registered version with requests to judge it on, and a policy that asks for little."""
    import pandas as pd

    from model_lifecycle.gates.policy.promotion import (
        ABPolicy,
        Limit,
        OutcomeDemand,
        ShadowPolicy,
        ValidationPolicy,
        promotion_policy,
    )

    number = register()
    claims: dict[str, Any] = {"limits": (Limit("accuracy", minimum=0.6),)}
    policy = promotion_policy(
        validation=ValidationPolicy(**claims),
        shadow=ShadowPolicy(
            **claims, block="day", min_blocks=10, min_requests=100, max_duration_days=30
        ),
        ab_test=ABPolicy(outcomes=(OutcomeDemand("label"),)),
    )
    ask(lambda registry: registry.set_policy(**model, policy=policy, actor="somebody"))
    frame = pd.DataFrame({"pressure": [float(n % 40) for n in range(40 * DAYS)]})

    async def write(registry: ModelRegistry) -> None:
        from model_lifecycle.gates.data.traffic_writer import write_labels, write_traffic

        for day in range(DAYS):
            hour = datetime(2013, 7, 1, tzinfo=UTC) + timedelta(days=day)
            requests = frame[day * 40 : day * 40 + 40].assign(
                request_id=[f"{day}-{row}" for row in range(40)],
                requested_at=hour,
                labelled_at=hour,
                version=0,
                role="champion",
                prediction=0,
            )
            labels = requests.assign(label=requests["pressure"] > 20)
            await write_traffic(registry.artifacts, **model, hour=hour, frame=requests)
            await write_labels(registry.artifacts, **model, day=hour, frame=labels)

    ask(write)
    return number


def test_mapped_shadow_test(version: int, model: ModelNames, context: MakeContext) -> None:
    """Plan, a task for each day and the judge give the verdict, all as plain JSON."""
    from model_lifecycle.operators.mapped_shadow import (
        JudgeShadowTestOperator,
        PlanShadowTestOperator,
        ReplayDayOperator,
    )

    plan = PlanShadowTestOperator(task_id="plan", version=version, **WINDOW, **model)
    parts = json.loads(json.dumps(plan.execute(context(plan))))
    for number, part in enumerate(parts):
        replay = ReplayDayOperator(task_id="replay", part=part, **model)
        assert replay.execute(context(replay, map_index=number))["requests"] == 40
    judge = JudgeShadowTestOperator(task_id="judge", version=version, parts=parts, **model)
    report = judge.execute(context(judge))
    again = json.loads(json.dumps(plan.execute(context(plan))))

    assert (report["verdict"], report["counts"]["judged"]) == ("PASS", 40 * DAYS)
    assert again == parts


def test_mapped_shadow_test_as_a_group(model: ModelNames) -> None:
    """The group maps its middle task over what the plan returns."""
    from airflow.sdk import DAG

    from model_lifecycle.operators.mapped_shadow import mapped_shadow_test

    with DAG("mapped", schedule=None) as dag:
        mapped_shadow_test(version=1, **WINDOW, **model)

    assert set(dag.task_dict) == {f"shadow_test.{name}" for name in ("plan", "replay", "judge")}
    assert dag.get_task("shadow_test.replay").is_mapped
    assert dag.get_task("shadow_test.judge").upstream_task_ids == {
        "shadow_test.plan",
        "shadow_test.replay",
    }


def test_sensor_ends_with_the_verdict(
    version: int, model: ModelNames, context: MakeContext
) -> None:
    """Traffic that decides ends the wait at the first look."""
    from model_lifecycle.operators.sensors.gate_verdict import GateVerdictSensor

    task = GateVerdictSensor(task_id="follow", version=version, start="2013-07-01", **model)

    assert task.execute(context(task))["verdict"] == "PASS"


def test_sensor_waits_for_traffic(version: int, model: ModelNames, context: MakeContext) -> None:
    """Without traffic the sensor defers; the trigger survives a restart and wakes it."""
    from airflow.sdk._shared.module_loading import import_string
    from airflow.sdk.exceptions import AirflowException, TaskDeferred

    from model_lifecycle.operators.sensors.gate_verdict import GateVerdictSensor

    start = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    task = GateVerdictSensor(
        task_id="follow", version=version, start=start, deferrable=True, **model
    )
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context(task))
    path, kwargs = deferred.value.trigger.serialize()
    trigger = import_string(path)(**json.loads(json.dumps(kwargs)))
    trigger.after = "2013-07-01T00:00:00+00:00"
    event = asyncio.run(anext(trigger.run()))

    assert deferred.value.method_name == "execute_complete"
    assert event.payload["status"] == "success"
    with pytest.raises(AirflowException, match="ended: gone"):
        task.execute_complete(context(task), {"status": "error", "message": "gone"})


def test_who_waits_for_the_end_of_a_block_asks_once(
    version: int, model: ModelNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trigger knows from the policy when it can be judged, and sleeps until then: of a policy
    that is changed meanwhile it hears within the hour."""
    from model_lifecycle.operators.triggers import traffic
    from model_lifecycle.operators.triggers.shared_poll import registry_of

    calls: list[str] = []
    slept: list[float] = []

    def counted(name: str) -> AbstractAsyncContextManager[ModelRegistry]:
        calls.append(name)
        return registry_of(name)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        raise TimeoutError

    monkeypatch.setattr(traffic, "registry_of", counted)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    trigger = traffic.NewTrafficTrigger(
        after=datetime.now(UTC).isoformat(),
        poll_interval=0.001,
        model_registry_conn_id="model_registry_default",
        **model,
    )

    async def first() -> TriggerEvent:
        return await anext(trigger.run())

    with pytest.raises(TimeoutError):
        asyncio.run(first())

    assert len(calls) == 1
    assert 0.001 < slept[0] <= traffic.LONGEST_SLEEP


def test_ab_test_needs_a_champion(version: int, model: ModelNames, context: MakeContext) -> None:
    """The core's refusal becomes the task's failure."""
    from airflow.sdk.exceptions import AirflowException

    from model_lifecycle.operators.ab_test import ABTestOperator

    task = ABTestOperator(task_id="ab", version=version, **WINDOW, **model)

    with pytest.raises(AirflowException, match="there is none"):
        task.execute(context(task))
