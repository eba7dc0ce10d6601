"""MLflow's answers lost, late or falsified: nothing is sent twice, and one effect in the end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest
from stress.crash.figures import figure
from stress.faults.proxy import AFTER, BEFORE, LOST, Fault, Proxy
from stress.faults.steps import STEPS, effects, problems
from support.registry_fixture import RegistryFixture, new_name

from model_lifecycle.registry.domain.errors import BackendUnavailable
from model_lifecycle.registry.model_registry import ModelRegistry

_ALIAS = "POST .*/registered-models/alias"
_CREATE = "POST .*/model-versions/create"
_WRITE = "^(POST(?!.*search)|PATCH|DELETE|PUT)"


def sent_twice(proxy: Proxy) -> list[str]:
    """Writes that were sent more than once with the same content."""
    return [line for (line, _), times in Counter(proxy.writes()).items() if times > 1]


#: One of each kind; the others run in the long form.
_QUICK = {"answer lost", "answer truncated", "502 in HTML after", "429 before", "request reset"}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, marks=() if fault.name in _QUICK else pytest.mark.stress)
        for fault in (*BEFORE, *AFTER)
    ],
    ids=str,
)
async def test_a_registration_whose_answer_is_lost_is_finished_by_its_repetition(
    direct: RegistryFixture, through: ModelRegistry, mlflow: Proxy, fault: Fault
) -> None:
    """The failed call says that MLflow is unavailable, having sent its request once; repeated with
    the same id it makes one version, in MLflow and in the ledger."""
    model, operation = new_name(), new_name("operation")
    call = await STEPS["register"](direct, model)
    mlflow.strike(_CREATE, fault)
    with pytest.raises(BackendUnavailable):
        await call(through, operation)
    twice = sent_twice(mlflow)
    await call(through, operation)

    assert twice == []
    assert await problems(direct, model) == []
    assert await effects(direct, model, operation) == 1


@pytest.mark.parametrize("fault", [LOST, BEFORE[3]], ids=str)
async def test_a_promotion_that_mlflow_does_not_follow_has_happened(
    direct: RegistryFixture, through: ModelRegistry, mlflow: Proxy, fault: Fault
) -> None:
    """It is committed, so it succeeds; the repetition answers the same and MLflow follows."""
    model, operation = new_name(), new_name("operation")
    call = await STEPS["promote"](direct, model)
    mlflow.strike(_ALIAS, fault)
    answer = await call(through, operation)
    twice = sent_twice(mlflow)
    mlflow.requests.clear()
    repeated = await call(through, operation)

    assert (answer.production_version, repeated) == (2, answer)
    assert twice == []
    assert await problems(direct, model) == []
    assert await effects(direct, model, operation) == 1


async def test_an_alias_that_could_not_be_shown_is_shown_by_the_next_operation(
    direct: RegistryFixture, through: ModelRegistry, mlflow: Proxy
) -> None:
    """The row that a promotion leaves is finished by the next operation."""
    model = new_name()
    call = await STEPS["promote"](direct, model)
    mlflow.strike(_ALIAS, LOST)
    await call(through, None)
    await direct.staged(model)

    assert await problems(direct, model) == []


@pytest.mark.stress
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", [LOST, BEFORE[3], AFTER[3]], ids=str)
@pytest.mark.parametrize("operation", STEPS)
async def test_each_write_to_mlflow_fails_once(
    direct: RegistryFixture, through: ModelRegistry, mlflow: Proxy, operation: str, fault: Fault
) -> None:
    """Whichever write of an operation it strikes, the repetition has one effect and heals all."""
    violations: list[str] = []
    struck = 0
    for turn in range(50):
        model, operation_id = new_name(), new_name("operation")
        call = await STEPS[operation](direct, model)
        mlflow.struck.clear()
        mlflow.requests.clear()
        mlflow.plan.clear()
        if turn:
            mlflow.strike(_WRITE, Fault("none"), turn)
        mlflow.strike(_WRITE, fault)
        with suppress(BackendUnavailable):
            await call(through, operation_id)
        violations += [f"sent twice: {line}" for line in sent_twice(mlflow)]
        hit = len(mlflow.struck) == turn + 1
        mlflow.plan.clear()
        await call(through, operation_id)
        violations += await problems(direct, model)
        if await effects(direct, model, operation_id) != 1:
            violations.append(f"{operation} has more than one effect")
        if not hit:
            break
        struck += 1
    figure(
        "Writes to MLflow that failed once, then repeated",
        f"{operation}: {fault}",
        writes=struck,
        wrong=len(violations),
    )

    assert violations == []
    assert struck > 0


async def test_a_version_that_mlflow_makes_late_does_not_become_a_second_one(
    direct: RegistryFixture, through: ModelRegistry, mlflow: Proxy
) -> None:
    """The request was delayed until its repetition had made the version: reconcile removes the
    duplicate, and finds nothing more the next time."""
    model, operation, released = new_name(), new_name("operation"), asyncio.Event()
    call = await STEPS["register"](direct, model)
    mlflow.strike(_CREATE, Fault("delayed", released=released))
    with pytest.raises(BackendUnavailable):
        await call(through, operation)
    await call(direct.registry, operation)
    released.set()
    await _until_sent(mlflow)
    first = await direct.registry.reconcile(direct.tenant)
    again = await direct.registry.reconcile(direct.tenant)

    assert [item.code for item in first if item.model_id == model] == ["duplicate_removed"]
    assert again == []
    assert await problems(direct, model) == []
    assert await effects(direct, model, operation) == 1


async def test_an_alias_write_that_arrives_late_is_overwritten_by_its_writer(
    direct: RegistryFixture, through: ModelRegistry, mlflow: Proxy
) -> None:
    """A writer that was overtaken sees it, and shows the newer promotion."""
    model, released = new_name(), asyncio.Event()
    call = await STEPS["promote"](direct, model)
    mlflow.strike(_ALIAS, Fault("delayed", released=released))
    slow = asyncio.create_task(call(through, None))
    await _until_struck(mlflow)
    newest = await direct.promoted(model)
    released.set()
    await slow
    metadata = await direct.registry.get_model(direct.tenant, model)

    assert metadata is not None
    assert metadata.production_version == newest
    assert await problems(direct, model) == []


async def test_an_alias_write_that_arrives_after_its_writer_gave_up_does_not_win(
    direct: RegistryFixture, through: ModelRegistry, mlflow: Proxy
) -> None:
    """The writer's time was over, a newer promotion came, then the old write landed: the next
    operation shows the newer one again."""
    model, released = new_name(), asyncio.Event()
    call = await STEPS["promote"](direct, model)
    mlflow.strike(_ALIAS, Fault("delayed", released=released))
    slow = asyncio.create_task(call(through, None))
    await _until_struck(mlflow)
    await direct.promoted(model)
    await slow
    released.set()
    await _until_sent(mlflow)
    landed = await problems(direct, model)
    await direct.staged(model)

    assert [item for item in landed if "alias" in item] != []
    assert await problems(direct, model) == []


async def _until_struck(mlflow: Proxy) -> None:
    await _until(lambda: bool(mlflow.struck))


async def _until_sent(mlflow: Proxy) -> None:
    await _until(lambda: not mlflow.waiting)


async def _until(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError
