"""Entries and tables: what is shown is what the entries add up to, at every instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError
from support.pages import Pages

from model_lifecycle.registry.domain.errors import AlreadyExists, ModelNotFound, VersionNotFound
from model_lifecycle.registry.domain.identifiers import ModelId
from model_lifecycle.registry.domain.ledger_replay import LedgerReplay
from model_lifecycle.registry.domain.models import EntryKind
from model_lifecycle.registry.domain.stage_record import Departure, StageRecord
from model_lifecycle.registry.domain.stages import Stage
from model_lifecycle.registry.ledger.clock import utc_now
from model_lifecycle.registry.ledger.engine import writing
from model_lifecycle.registry.ledger.ledger import Ledger
from model_lifecycle.registry.ledger.tables import models
from model_lifecycle.registry.ledger.verify import verify_model

D, S, P, A, X = Stage


async def test_the_tables_are_the_fold_of_the_entries(pages: Pages) -> None:
    """Each version's stage is the target of its last move."""
    await pages.life()
    replay = LedgerReplay(pages.model)
    for entry in await pages.entries():
        evidence = await pages.ledger.read.evidence(pages.tenant, pages.model, 1)
        evidence += await pages.ledger.read.evidence(pages.tenant, pages.model, 2)
        replay.follow(entry, {item.evidence_id: item for item in evidence})

    assert {version: item.stage for version, item in replay.records.items()} == await pages.stages()
    assert replay.records == {
        1: StageRecord(A, 7, 7, 4, Departure.SUPERSEDED),
        2: StageRecord(P, 7, 0, 7, None),
    }


async def test_entries_follow_each_other(pages: Pages) -> None:
    """In number, in time, in hash and in what was in production."""
    await pages.life()
    entries = await pages.entries()

    assert [entry.sequence for entry in entries] == list(range(1, 8))
    for before, after in pairwise(entries):
        assert before.at < after.at
        assert before.hash == after.previous_hash
        assert before.production == after.previous_production


async def test_entries_are_read_as_they_were_written(pages: Pages) -> None:
    """With every field, on both databases."""
    await pages.register(1)
    written = await pages.move((1, D, S), actor="kim for lee", reason="é\n😀")

    assert (await pages.entries())[-1] == written


async def test_time_does_not_go_back(pages: Pages) -> None:
    """A clock that was ahead and is set right gives entries that still follow each other."""
    await pages.register(1)
    ahead = pages.ledger.clock() + timedelta(hours=3)
    async with writing(pages.ledger._engine) as connection:
        await connection.execute(
            update(models).where(models.c.tenant_id == pages.tenant).values(updated_at=ahead)
        )
    await pages.move((1, D, S))
    await pages.promote(1)
    times = [entry.at for entry in await pages.entries()]

    assert [at - ahead for at in times[1:]] == [
        timedelta(microseconds=1),
        timedelta(microseconds=2),
    ]
    assert await verify_model(pages.ledger, pages.tenant, pages.model) == 3


async def test_the_callers_clock_does_not_move_the_ledgers(pages: Pages) -> None:
    """However far ahead it is; one that is behind dates an embedded ledger's entries at most."""
    for hours in (-10_000, 10_000):
        shift = timedelta(hours=hours)

        def clock(shift: timedelta = shift) -> datetime:
            return utc_now() + shift

        wrong = Ledger(pages.ledger._engine, clock)
        await wrong.ping()
        own = Pages(wrong, pages.tenant)
        await own.register(1 if hours < 0 else 2)
        assert wrong.clock_warning() is not None
        assert wrong.clock() < utc_now() + timedelta(minutes=1)

    assert (await pages.entries())[-1].at < utc_now() + timedelta(minutes=1)


async def test_production_is_known_at_any_time(pages: Pages) -> None:
    """The last entry at or before an instant tells it."""
    await pages.life()
    entries = await pages.entries()
    for entry in entries:
        for shift, expected in ((0, entry.production), (-1, entry.previous_production)):
            when = entry.at + timedelta(microseconds=shift)
            newest = await pages.ledger.read.entry_at(pages.tenant, pages.model, when)
            assert (newest.production if newest else None) == expected
    long_ago = datetime(1970, 1, 1, tzinfo=UTC)

    assert await pages.ledger.read.entry_at(pages.tenant, pages.model, long_ago) is None


CURRENT: dict[str, tuple[list[tuple[int, Stage, Stage]], int | None]] = {
    "the newest": ([], 3),
    "the newest in staging": ([(1, D, S), (2, D, S)], 2),
    "production before staging": ([(1, D, S), (1, S, P), (2, D, S)], 1),
    "the newest when production was retired": ([(1, D, S), (1, S, P), (1, P, A)], 3),
    "without those that were deleted": ([(3, D, X)], 2),
    "none when all were deleted": ([(1, D, X), (2, D, X), (3, D, X)], None),
}


@pytest.mark.parametrize("case", CURRENT)
async def test_the_current_version(pages: Pages, case: str) -> None:
    """The production version, else the newest in staging, else the newest."""
    moves, expected = CURRENT[case]
    for version in (1, 2, 3):
        await pages.register(version)
    for move in moves:
        await pages.move(move, kind=EntryKind.DELETED if move[2] is X else EntryKind.MOVED)
    model = await pages.ledger.read.model(pages.tenant, pages.model)

    assert (model.current_version if model else None) == expected
    assert await verify_model(pages.ledger, pages.tenant, pages.model) == 3 + len(moves)


async def test_a_second_production_version_cannot_be_written(pages: Pages) -> None:
    """The database itself refuses it, also to plain SQL."""
    await pages.life()
    with pytest.raises(IntegrityError):
        async with writing(pages.ledger._engine) as connection:
            await connection.execute(
                text("UPDATE versions SET stage = 'production' WHERE tenant_id = :tenant"),
                {"tenant": pages.tenant},
            )

    assert await pages.stages() == {1: A, 2: P}


async def test_a_failed_entry_leaves_nothing(pages: Pages) -> None:
    """An error anywhere in the transaction takes the whole entry back."""
    await pages.life()
    before = await pages.entries(), await pages.stages()

    async def fails() -> None:
        async with pages.ledger.begin(pages.tenant, pages.model) as work:
            await work.append(EntryKind.MOVED, actor="kim", reason="", operation_id="x", moves=())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()

    assert (await pages.entries(), await pages.stages()) == before


async def test_a_version_is_entered_once(pages: Pages) -> None:
    """Its number belongs to its files for ever."""
    await pages.register(1)
    with pytest.raises(AlreadyExists):
        await pages.register(1)
    await pages.move((1, D, X), kind=EntryKind.DELETED)
    with pytest.raises(AlreadyExists):
        await pages.register(1)

    assert len(await pages.entries()) == 2


async def test_what_is_not_there_is_not_found(pages: Pages) -> None:
    """Unknown models have no book; unknown and deleted versions are not in it."""
    for opened in (pages.ledger.begin, pages.ledger.snapshot):
        with pytest.raises(ModelNotFound):
            async with opened(pages.tenant, ModelId("nothing")):
                pass
    await pages.register(1)
    await pages.move((1, D, X), kind=EntryKind.DELETED)
    async with pages.ledger.snapshot(pages.tenant, pages.model) as work:
        for version in (1, 2):
            with pytest.raises(VersionNotFound):
                await work.version(version)


async def test_numbers_and_texts_survive(pages: Pages) -> None:
    """Floats to the last bit and texts of any script, in JSON columns of both databases."""
    odd: dict[str, Any] = {"a": [0.1 + 0.2, 1e-300, -0.0, 2**53], "é😀\n": "\u2028", "n": None}
    await pages.register(1)
    async with pages.ledger.begin(pages.tenant, pages.model) as work:
        await work.append(EntryKind.MOVED, actor="kim", reason="", operation_id="x", detail=odd)
    entry = (await pages.entries())[-1]

    assert dict(entry.detail) == odd
    assert await verify_model(pages.ledger, pages.tenant, pages.model) == 2
