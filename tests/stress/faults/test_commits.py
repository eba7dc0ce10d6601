"""The ledger's connection cut at a COMMIT: before it, or after, so that only the answer is lost."""

from __future__ import annotations

from contextlib import suppress

import pytest
from stress.crash.figures import figure
from stress.faults.postgres_proxy import PostgresProxy
from stress.faults.steps import STEPS, effects, problems
from support.registry_fixture import RegistryFixture, new_name

from model_lifecycle.registry.domain.errors import BackendUnavailable
from model_lifecycle.registry.model_registry import ModelRegistry


@pytest.mark.parametrize(
    "operation",
    [pytest.param(name, marks=[] if name == "promote" else [pytest.mark.stress]) for name in STEPS],
)
@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", ["lose", "drop"])
async def test_each_commit_fails_once(
    direct: RegistryFixture, cut: ModelRegistry, postgres: PostgresProxy, operation: str, way: str
) -> None:
    """Whichever COMMIT it strikes, the operation repeated with its id has one effect."""
    violations: list[str] = []
    struck = 0
    for turn in range(1, 20):
        model, operation_id = new_name(), new_name("operation")
        call = await STEPS[operation](direct, model)
        postgres.arm(**{way: {turn}})
        with suppress(BackendUnavailable):
            await call(cut, operation_id)
        hit = postgres.commits >= turn
        postgres.arm()
        await call(cut, operation_id)
        violations += await problems(direct, model)
        if await effects(direct, model, operation_id) != 1:
            violations.append(f"{operation} does not have one effect")
        if not hit:
            break
        struck += 1
    name = "answer lost" if way == "lose" else "never arrived"
    figure(
        "COMMITs cut, then repeated", f"{operation}: {name}", commits=struck, wrong=len(violations)
    )

    assert violations == []
    assert struck > 0


async def test_a_rollback_without_id_whose_commit_was_not_heard_of_has_succeeded(
    direct: RegistryFixture, cut: ModelRegistry, postgres: PostgresProxy
) -> None:
    """The ledger is asked how the commit ended, so nobody is led to roll back a second time."""
    model = new_name()
    call = await STEPS["rollback"](direct, model)
    postgres.arm(lose={1})
    answer = await call(cut, None)

    assert answer.production_version == 2
    assert await direct.stages(model) == {1: "archived", 2: "production", 3: "development"}
    assert await problems(direct, model) == []


async def test_a_rollback_whose_commit_never_arrived_has_not_happened(
    direct: RegistryFixture, cut: ModelRegistry, postgres: PostgresProxy
) -> None:
    """It is refused as unavailable, and production stays."""
    model = new_name()
    call = await STEPS["rollback"](direct, model)
    before = await direct.snapshot(model)
    postgres.arm(drop={1})
    with pytest.raises(BackendUnavailable):
        await call(cut, None)

    assert await direct.snapshot(model) == before


async def test_a_ledger_that_is_away_is_told(
    direct: RegistryFixture, cut: ModelRegistry, postgres: PostgresProxy
) -> None:
    """Reads and writes answer BackendUnavailable, and go on once it is back."""
    model = new_name()
    await direct.promoted(model)
    await cut.ping()
    postgres.down = True
    postgres.cut_all()
    with pytest.raises(BackendUnavailable):
        await cut.get_model(direct.tenant, model)
    postgres.down = False

    assert await cut.get_model(direct.tenant, model) is not None
