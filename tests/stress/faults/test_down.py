"""MLflow unavailable: readers go on, writers get an error within five seconds, and try later."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest
from stress.crash.figures import figure
from stress.faults.proxy import Proxy
from stress.faults.steps import STEPS, effects, problems
from support.registry_fixture import RegistryFixture, new_name

from model_lifecycle.registry.domain.errors import BackendUnavailable
from model_lifecycle.registry.model_registry import ModelRegistry

_PROMISED = 5.0
_CALLERS = 16


@pytest.mark.parametrize("how", ["down", "hangs"])
async def test_reads_are_answered_while_mlflow_is_away(
    direct: RegistryFixture, through: ModelRegistry, mlflow: Proxy, how: str
) -> None:
    """Models, versions, history and what was in production come from the ledger."""
    model = new_name()
    await direct.promoted(model)
    setattr(mlflow, how, True)
    metadata = await through.get_model(direct.tenant, model)

    assert metadata is not None
    assert metadata.production_version == 1
    assert model in [item.model_id for item in await through.list_models(direct.tenant, limit=1000)]
    assert [item.version for item in await through.list_versions(direct.tenant, model)] == [1]
    assert len(await through.history(direct.tenant, model)) == 3
    assert await through.production_at(direct.tenant, model, datetime.now(UTC)) == 1
    assert await through.verify_ledger(direct.tenant, model) == 3


@pytest.mark.parametrize("how", ["down", "hangs"])
@pytest.mark.parametrize(
    "operation",
    [pytest.param(name, marks=[] if name == "promote" else [pytest.mark.stress]) for name in STEPS],
)
async def test_writes_are_refused_in_time_and_can_be_repeated(
    direct: RegistryFixture, through: ModelRegistry, mlflow: Proxy, operation: str, how: str
) -> None:
    """BackendUnavailable within five seconds, nothing changed; later the same call succeeds."""
    model, operation_id = new_name(), new_name("operation")
    call = await STEPS[operation](direct, model)
    before = await direct.snapshot(model)
    setattr(mlflow, how, True)
    started = time.monotonic()
    with pytest.raises(BackendUnavailable):
        await call(through, operation_id)
    took = time.monotonic() - started
    unchanged = await direct.snapshot(model) == before
    setattr(mlflow, how, False)
    await call(through, operation_id)
    figure(
        "MLflow away: seconds until a write is refused",
        f"{operation}: {how}",
        seconds=f"{took:.2f}",
    )

    assert took < _PROMISED
    assert unchanged
    assert await effects(direct, model, operation_id) == 1
    assert await problems(direct, model) == []


async def test_many_writers_are_all_refused_in_time(
    direct: RegistryFixture, through: ModelRegistry, mlflow: Proxy
) -> None:
    """Those who wait for a free connection wait no longer than those who have one."""
    model = new_name()
    call = await STEPS["promote"](direct, model)
    mlflow.hangs = True

    async def refused() -> float:
        started = time.monotonic()
        with pytest.raises(BackendUnavailable):
            await call(through, None)
        return time.monotonic() - started

    times = await asyncio.gather(*(refused() for _ in range(_CALLERS)))
    _tell(f"the last of {_CALLERS} at once", max(times))

    assert max(times) < _PROMISED


def _tell(what: str, seconds: float) -> None:
    figure("MLflow away: seconds until a write is refused", what, seconds=f"{seconds:.2f}")
