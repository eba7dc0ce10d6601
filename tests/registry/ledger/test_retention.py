"""Retention removes answered operations and finished outbox rows, and nothing that is needed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update
from support.pages import Pages
from support.registry_fixture import new_name

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.models import EntryKind, StageMove
from model_lifecycle.registry.domain.stages import Stage
from model_lifecycle.registry.ledger.engine import writing
from model_lifecycle.registry.ledger.retention import Retention
from model_lifecycle.registry.ledger.tables import operations, projections

QUARTER = timedelta(days=90)


async def _answered(pages: Pages, operation_id: str) -> None:
    """Move version 1 to staging and back, as one answered operation with its outbox row."""
    async with pages.ledger.begin(pages.tenant, pages.model) as work:
        await work.append(
            EntryKind.MOVED,
            actor="kim",
            reason="why",
            operation_id=operation_id,
            moves=[StageMove(1, Stage.DEVELOPMENT, Stage.DEVELOPMENT)],
        )
        await work.store_response(operation_id, "sha256:1", {"done": True})
        change = await work.enqueue_sync()
    await pages.ledger.projected(pages.tenant, pages.model, [change.token], change.after.epoch)


async def _date_back(pages: Pages, days: float) -> None:
    """Make everything of the tenant older."""
    when = pages.ledger.clock() - timedelta(days=days)
    async with writing(pages.ledger._engine) as connection:
        await connection.execute(
            update(operations).where(operations.c.tenant_id == pages.tenant).values(started_at=when)
        )
        rows = update(projections).where(projections.c.tenant_id == pages.tenant)
        await connection.execute(rows.values(written_at=when))
        finished = rows.where(projections.c.finished_at.is_not(None))
        await connection.execute(finished.values(finished_at=when))


async def test_what_is_old_and_done_is_removed(pages: Pages) -> None:
    """The counts of a dry run are those of the removal, and a second one removes nothing."""
    await pages.register(1)
    for number in range(3):
        await _answered(pages, f"{pages.tenant}/{number}")
    await _date_back(pages, 91)
    retention = pages.ledger.retention
    counted = await retention.count(QUARTER)
    still = await pages.ledger.read.operation(pages.tenant, f"{pages.tenant}/0")
    removed, again = await retention.prune(QUARTER), await retention.prune(QUARTER)

    assert (counted.operations, counted.outbox) == (3, 3)
    assert still is not None
    assert (removed.operations, removed.outbox) == (3, 3)
    assert (again.operations, again.outbox) == (0, 0)
    assert await pages.ledger.read.operation(pages.tenant, f"{pages.tenant}/0") is None
    assert len(await pages.entries()) == 4


async def test_what_may_be_needed_stays(pages: Pages) -> None:
    """Whatever its age: an operation without an answer, and a change that MLflow may not show. And
    everything that is younger."""
    await pages.register(1)
    pending, young = new_name("pending"), new_name("young")
    await pages.ledger.begin_operation(pages.tenant, pages.model, pending, "sha256:1", {"a": 1})
    await pages.ledger.requeue_sync(pages.tenant, pages.model, [1], new_name("row"))
    await _date_back(pages, 400)
    await _answered(pages, young)
    removed = await pages.ledger.retention.prune(QUARTER)

    assert (removed.operations, removed.outbox) == (0, 0)
    assert await pages.ledger.read.operation(pages.tenant, pending) is not None
    assert await pages.ledger.read.operation(pages.tenant, young) is not None
    assert len(await pages.ledger.read.projections(pages.tenant, pages.model)) == 1


async def test_a_week_is_the_least(pages: Pages) -> None:
    """A retry of a task that has run for days still gets its answer."""
    await pages.register(1)
    operation_id = new_name("operation")
    await _answered(pages, operation_id)
    await _date_back(pages, 6)
    for method in (pages.ledger.retention.count, pages.ledger.retention.prune):
        with pytest.raises(InvalidInput, match="at least 7 days"):
            await method(timedelta(days=6))
    await pages.ledger.retention.prune(timedelta(days=7))

    assert await pages.ledger.read.operation(pages.tenant, operation_id) is not None


async def test_many_rows_are_removed_in_batches(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in a transaction of its own, so that writers wait for one of them at most."""
    await pages.register(1)
    for number in range(5):
        await _answered(pages, f"{pages.tenant}/{number}")
    await _date_back(pages, 91)
    monkeypatch.setattr("model_lifecycle.registry.ledger.retention._BATCH", 2)
    batches = []
    remove = Retention._remove

    async def counted(self: Retention, *arguments: object) -> int:
        batches.append(await remove(self, *arguments))  # type: ignore[arg-type]  # passed on as they are
        return batches[-1]

    monkeypatch.setattr(Retention, "_remove", counted)
    removed = await pages.ledger.retention.prune(QUARTER)

    assert (removed.operations, removed.outbox) == (5, 5)
    assert batches == [2, 2, 1, 2, 2, 1]
