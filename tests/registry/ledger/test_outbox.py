"""Rows of changes that MLflow may not show yet: finished only while the model stands still."""

from __future__ import annotations

import asyncio
import time

import pytest
from sqlalchemy import select
from support.pages import Pages
from support.registry_fixture import new_name

from model_lifecycle.registry.domain.models import EntryKind, StageMove
from model_lifecycle.registry.domain.stages import Stage
from model_lifecycle.registry.ledger import outbox
from model_lifecycle.registry.ledger.engine import reading, writing
from model_lifecycle.registry.ledger.tables import projections


async def _noted(pages: Pages) -> tuple[int, list[str]]:
    """A model with a note; its epoch and the notes."""
    await pages.life()
    await pages.ledger.requeue_sync(pages.tenant, pages.model, [2, 1, 2], "a-note")
    return len(await pages.entries()), await _notes(pages)


async def _notes(pages: Pages) -> list[str]:
    return [
        note["token"] for note in await pages.ledger.read.projections(pages.tenant, pages.model)
    ]


async def test_a_shown_change_is_noted_no_more(pages: Pages) -> None:
    """Removing its note again is fine: somebody else may have shown it as well."""
    epoch, noted = await _noted(pages)
    pending = [
        await pages.ledger.projected(pages.tenant, pages.model, ["a-note"], epoch) for _ in range(2)
    ]

    assert noted == ["a-note"]
    assert pending == [True, True]
    assert await _notes(pages) == []


async def test_a_writer_that_was_overtaken_hears_of_it(pages: Pages) -> None:
    """Its write may have come after the newer state: its row stays."""
    epoch, _ = await _noted(pages)
    await pages.register(3)

    assert not await pages.ledger.projected(pages.tenant, pages.model, ["a-note"], epoch)
    assert await _notes(pages) == ["a-note"]
    assert not await pages.ledger.projected(pages.tenant, pages.model, [], epoch)
    assert await pages.ledger.projected(pages.tenant, pages.model, ["a-note"], epoch + 1)


async def test_a_reminder_that_is_there_is_left_alone(pages: Pages) -> None:
    """It is not noted twice, and other notes of the model stay when one goes."""
    epoch, _ = await _noted(pages)
    await pages.ledger.requeue_sync(pages.tenant, pages.model, [1], "a-note")
    await pages.ledger.requeue_sync(pages.tenant, pages.model, [1], "another")
    await pages.ledger.projected(pages.tenant, pages.model, ["a-note"], epoch)
    left = await pages.ledger.read.projections(pages.tenant, pages.model)

    assert [(note["token"], note["versions"]) for note in left] == [("another", [1])]


async def _enqueue(pages: Pages) -> None:
    """Move version 1 to staging, with its row."""
    async with pages.ledger.begin(pages.tenant, pages.model) as work:
        await work.append(
            EntryKind.MOVED,
            actor="kim",
            reason="better",
            operation_id=new_name("operation"),
            moves=[StageMove(1, Stage.DEVELOPMENT, Stage.STAGING)],
        )
        await work.enqueue_sync()


async def _claimed(pages: Pages, limit: int = 1000) -> list[str]:
    """The tokens of this model's rows that one sweep claims."""
    rows = await pages.ledger.claim_outbox(limit)
    return [row.token for row in rows if row.tenant_id == pages.tenant]


async def test_a_row_carries_what_subscribers_need(pages: Pages) -> None:
    """The kind of the change, its actor, its entry, and the model before and after it."""
    await pages.register(1)
    await _enqueue(pages)
    row = (await pages.ledger.read.projections(pages.tenant, pages.model))[0]

    assert {name: row[name] for name in ("kind", "actor", "sequence", "before", "after")} == {
        "kind": "moved",
        "actor": "kim",
        "sequence": 2,
        "before": {"production_version": None, "stages": {"1": "development"}},
        "after": {"production_version": None, "stages": {"1": "staging"}},
    }


async def test_a_finished_row_stays_as_a_record(pages: Pages) -> None:
    """It is pending no more, and still there for subscribers."""
    await pages.register(1)
    await _enqueue(pages)
    token = (await _notes(pages))[0]
    await pages.ledger.projected(pages.tenant, pages.model, [token], 2)
    async with reading(pages.ledger._engine) as connection:
        rows = await connection.execute(
            select(projections.c.finished_at).where(projections.c.token == token)
        )

    assert await _notes(pages) == []
    assert rows.scalar_one() is not None


async def test_a_fresh_row_belongs_to_its_writer(pages: Pages) -> None:
    """A sweep claims it when the writer's grace has ended, and not before."""
    await pages.register(1)
    await _enqueue(pages)
    early = await _claimed(pages)
    await asyncio.sleep(outbox.GRACE.total_seconds() + 0.1)

    assert early == []
    assert await _claimed(pages) == await _notes(pages)


async def test_of_many_sweepers_one_claims_a_row(pages: Pages) -> None:
    """Each of twelve rows is claimed once, by whichever of six sweepers is first."""
    await pages.life()
    tokens = [f"row-{number}" for number in range(12)]
    for token in tokens:
        await pages.ledger.requeue_sync(pages.tenant, pages.model, [1], token)
    claims = await asyncio.gather(*(_claimed(pages, 50) for _ in range(6)))

    assert sorted(token for claim in claims for token in claim) == sorted(tokens)
    assert await _claimed(pages) == []


async def test_a_sweeper_makes_no_writer_wait(pages: Pages) -> None:
    """A sweeper that stops in the middle of its claim locks no model, and another one passes over
    its rows."""
    if pages.ledger._engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one lock for all that writes; a claim holds it for one statement")
    await pages.register(1)
    await pages.ledger.requeue_sync(pages.tenant, pages.model, [1], new_name("row"))
    async with writing(pages.ledger._engine) as stopped:
        claimed = await outbox.claim(stopped, pages.ledger.clock(), 1000)
        started = time.monotonic()
        others = await _claimed(pages)
        await _enqueue(pages)
        took = time.monotonic() - started

    assert claimed
    assert others == []
    assert took < 1


async def test_the_status_counts_what_is_pending(pages: Pages) -> None:
    """Depth and age grow with a row that nobody finishes, and shrink when it is finished."""
    epoch, _ = await _noted(pages)
    before = await pages.ledger.outbox_status()
    await pages.ledger.projected(pages.tenant, pages.model, ["a-note"], epoch)
    after = await pages.ledger.outbox_status()

    assert before.pending == after.pending + 1
    assert before.oldest_seconds >= 0
