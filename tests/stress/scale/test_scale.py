"""Reads cost what they return, not what the ledger holds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event
from stress.crash.figures import figure
from stress.scale.conftest import Sizes
from stress.scale.population import BIG, model, tenant

from model_lifecycle.registry.model_registry import ModelRegistry

_PROMISED = 1.5
_ROUNDS = 60
_WHEN = datetime(2026, 1, 1, 0, 0, 4, tzinfo=UTC)
_OWNER = tenant(0)
_GIANTS = tenant(1)

Read = Callable[[ModelRegistry], Awaitable[Any]]
READS: dict[str, Read] = {
    "list_models": lambda registry: registry.list_models(_OWNER, limit=50),
    "list_models, a later page": lambda registry: registry.list_models(
        _OWNER, limit=50, after=model(40)
    ),
    "list_models in a stage": lambda registry: registry.list_models(
        _OWNER, "production", limit=50, after=model(40)
    ),
    "list_models of a framework": lambda registry: registry.list_models(
        _OWNER, framework="sklearn", limit=50, after=model(40)
    ),
    "get_model": lambda registry: registry.get_model(_OWNER, model(50)),
    "get_version": lambda registry: registry.get_version(_OWNER, model(50), 2),
    "list_versions": lambda registry: registry.list_versions(_OWNER, model(50)),
    "history": lambda registry: registry.history(_OWNER, model(50), after=1, limit=4),
    "production_at": lambda registry: registry.production_at(_OWNER, model(50), _WHEN),
}
GIANT: dict[str, Read] = {
    "get_model": lambda registry: registry.get_model(_GIANTS, BIG),
    "list_models, a page with it": lambda registry: registry.list_models(_GIANTS, limit=50),
    "list_versions, a page of 100": lambda registry: registry.list_versions(
        _GIANTS, BIG, after=2500, limit=100
    ),
    "history, a page of 100": lambda registry: registry.history(
        _GIANTS, BIG, after=7000, limit=100
    ),
    "production_at": lambda registry: registry.production_at(_GIANTS, BIG, _WHEN),
    "verify_ledger, 15,000 entries": lambda registry: registry.verify_ledger(_GIANTS, BIG),
}
#: Seconds in which the model with 5,000 versions is to answer, on a busy machine.
_GIANT_LIMIT = {"verify_ledger, 15,000 entries": 30.0}


@pytest.mark.parametrize("name", READS)
async def test_ten_thousand_models_are_read_as_fast_as_a_hundred(sizes: Sizes, name: str) -> None:
    """The same answer's median time in both, measured in turns, differs by at most half."""
    read = READS[name]
    ratio, small, large = 9.9, 0.0, 0.0
    for _ in range(3):
        small, large = await _medians(read, sizes)
        ratio = large / small
        if ratio <= _PROMISED:
            break
    figure(
        "Time of a read at 10,000 models against 100 (at most 1.5)",
        f"{name}: {_dialect(sizes.large)}",
        ms_at_100=f"{small * 1000:.2f}",
        ms_at_10000=f"{large * 1000:.2f}",
        ratio=f"{ratio:.2f}",
    )

    assert ratio <= _PROMISED


@pytest.mark.parametrize("name", READS)
async def test_reads_go_by_index(sizes: Sizes, name: str) -> None:
    """The database explains no statement of theirs with a scan of a whole table."""
    scans = [plan for plan in await _plans(sizes.large, READS[name]) if _scans(plan)]

    assert scans == []


@pytest.mark.parametrize("name", GIANT)
async def test_a_model_of_five_thousand_versions_is_read_in_reasonable_time(
    sizes: Sizes, name: str
) -> None:
    """One model that was retrained for years does not hold anybody up."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        await GIANT[name](sizes.large)
        times.append(time.perf_counter() - started)
    took = statistics.median(times)
    figure(
        "A model of 5,000 versions",
        f"{name}: {_dialect(sizes.large)}",
        ms=f"{took * 1000:.1f}",
    )

    assert took < _GIANT_LIMIT.get(name, 1.0)


async def test_the_last_page_ends_where_the_first_began(sizes: Sizes) -> None:
    """Keyset pages together hold every model once."""
    names: list[str] = []
    while page := await sizes.large.list_models(
        _GIANTS, limit=70, after=names[-1] if names else None
    ):
        names += [item.model_id for item in page]

    assert names == [BIG, *(model(number) for number in range(200))]


async def _medians(read: Read, sizes: Sizes) -> tuple[float, float]:
    times: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(2 * _ROUNDS):
        large = bool(turn % 2)
        started = time.perf_counter()
        await read(sizes.large if large else sizes.small)
        times[large].append(time.perf_counter() - started)
    return statistics.median(times[False]), statistics.median(times[True])


async def _plans(registry: ModelRegistry, read: Read) -> list[str]:
    """How the database explains each statement of the read."""
    engine = registry._stores.ledger._engine
    statements: list[tuple[str, Any]] = []

    def remember(_c: Any, _k: Any, statement: str, parameters: Any, _x: Any, _m: bool) -> None:
        if statement.startswith("SELECT"):
            statements.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", remember)
    try:
        await read(registry)
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", remember)
    explain = "EXPLAIN QUERY PLAN " if _dialect(registry) == "sqlite" else "EXPLAIN "
    plans = []
    async with engine.connect() as connection:
        for statement, parameters in statements:
            rows = await connection.exec_driver_sql(explain + statement, parameters)
            plans.append("\n".join(str(row[-1]) for row in rows))
    return plans


def _scans(plan: str) -> bool:
    lines = [line for line in plan.splitlines() if "USING" not in line]
    return any(word in line for line in lines for word in ("SCAN ", "Seq Scan"))


def _dialect(registry: ModelRegistry) -> str:
    return str(registry._stores.ledger._engine.dialect.name)


async def test_plans_with_scans_are_seen() -> None:
    """The words that mean a scan of a whole table, as both databases say them."""
    assert _scans("SCAN models")
    assert _scans("Seq Scan on models  (cost=0.00..1.00)")
    assert not _scans("SEARCH models USING INDEX pk (tenant_id=?)")
