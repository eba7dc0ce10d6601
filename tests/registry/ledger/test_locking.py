"""Several writers of one model: one at a time, each seeing what the one before has written."""

from __future__ import annotations

import asyncio
import time

import pytest
from support.pages import Pages

from model_lifecycle.registry.domain.errors import ChangeInProgress, OperationConflict
from model_lifecycle.registry.domain.models import EntryKind, StageMove
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.domain.stages import Stage
from model_lifecycle.registry.ledger.engine import open_engine
from model_lifecycle.registry.ledger.ledger import Ledger
from model_lifecycle.registry.ledger.timeouts import Limits
from model_lifecycle.registry.ledger.verify import verify_model

WRITERS = 12


async def test_entries_of_many_writers_form_one_chain(pages: Pages) -> None:
    """None is lost and none has the number of another."""
    await asyncio.gather(*(pages.register(version) for version in range(1, WRITERS + 1)))

    assert await verify_model(pages.ledger, pages.tenant, pages.model) == WRITERS
    assert await pages.stages() == dict.fromkeys(range(1, WRITERS + 1), Stage.DEVELOPMENT)


async def test_a_book_is_open_for_one_writer_at_a_time(pages: Pages) -> None:
    """Each sees the number that the one before has written, although all read before they write."""
    await pages.register(1)
    epochs: list[int] = []

    async def write() -> None:
        async with pages.ledger.begin(pages.tenant, pages.model) as work:
            epochs.append(work.model.epoch)
            await asyncio.sleep(0)
            await work.append(
                EntryKind.MOVED, actor="kim", reason="", operation_id=str(len(epochs))
            )

    await asyncio.gather(*(write() for _ in range(WRITERS)))

    assert epochs == list(range(1, WRITERS + 1))


async def test_another_models_book_can_be_open_beside(database: str, pages: Pages) -> None:
    """On PostgreSQL writers of two models do not wait for each other; on SQLite there is one
    writer at a time, who is waited for."""
    other = Pages(pages.ledger)
    await pages.register(1)
    await other.register(1)

    async def write() -> None:
        await other.set_policy(PromotionPolicy(shadow={"a": 1}))

    started = time.perf_counter()
    async with pages.ledger.begin(pages.tenant, pages.model):
        waiting = asyncio.ensure_future(write())
        await asyncio.sleep(0.3)
        assert waiting.done() is database.startswith("postgresql")
    await waiting

    assert time.perf_counter() - started < 4
    assert len(await other.entries()) == 2


async def test_readers_do_not_wait_for_a_writer(pages: Pages) -> None:
    """They see the state before its commit."""
    await pages.life()
    async with pages.ledger.begin(pages.tenant, pages.model) as work:
        await work.append(EntryKind.MOVED, actor="kim", reason="", operation_id="x")
        async with asyncio.timeout(2):
            assert len(await pages.entries()) == 7
            assert await verify_model(pages.ledger, pages.tenant, pages.model) == 7

    assert len(await pages.entries()) == 8


async def test_a_lock_is_not_waited_for_for_ever(database: str, pages: Pages) -> None:
    """A second writer gets an error that names the cause, and not that there is no connection."""
    await pages.register(1)
    second = Ledger(open_engine(database, Limits(lock=1.0)))
    started = time.perf_counter()
    async with pages.ledger.begin(pages.tenant, pages.model):
        with pytest.raises(
            ChangeInProgress, match=f"change of model '{pages.model}' is in progress"
        ):
            async with second.begin(pages.tenant, pages.model):
                pass
    took = time.perf_counter() - started
    await second.close()

    assert 0.9 < took < 4
    await pages.register(2)


async def test_a_new_model_that_two_make_at_once_is_one(pages: Pages) -> None:
    """Both find the same book."""
    await asyncio.gather(pages.register(1), pages.register(2))

    assert [entry.sequence for entry in await pages.entries()] == [1, 2]


async def test_an_operation_is_begun_once(pages: Pages) -> None:
    """Of several that begin it one is the first; all get the plan of that one."""
    begun = await asyncio.gather(
        *(
            pages.ledger.begin_operation(
                pages.tenant, pages.model, "op", "sha256:1", {"number": number}
            )
            for number in range(6)
        )
    )

    assert sorted(item.repeated for item in begun) == [False] + [True] * 5
    assert len({str(item.plan) for item in begun}) == 1
    with pytest.raises(OperationConflict):
        await pages.ledger.begin_operation(pages.tenant, pages.model, "op", "sha256:2", {})


async def test_an_answer_is_kept_once(pages: Pages) -> None:
    """A committed operation keeps its answer; another request under its id does not get in."""
    await pages.register(1)
    async with pages.ledger.begin(pages.tenant, pages.model) as work:
        await work.store_response("op", "sha256:1", {"number": 1})
    async with pages.ledger.begin(pages.tenant, pages.model) as work:
        assert await work.stored_response("op", "sha256:1") == {"number": 1}
        assert await work.stored_response("other", "sha256:1") is None
        with pytest.raises(OperationConflict):
            await work.stored_response("op", "sha256:2")

    async def again() -> None:
        async with pages.ledger.begin(pages.tenant, pages.model) as work:
            await work.store_response("op", "sha256:2", {"number": 2})

    with pytest.raises(OperationConflict):
        await again()


async def test_an_abandoned_operation_can_begin_again(pages: Pages) -> None:
    """An operation without effect is forgotten; one with a response is not."""
    arguments = (pages.tenant, pages.model, "op")
    await pages.ledger.begin_operation(*arguments, "sha256:1", {})
    await pages.ledger.abandon_operation(pages.tenant, "op")
    begun = await pages.ledger.begin_operation(*arguments, "sha256:2", {})
    await pages.register(1)
    async with pages.ledger.begin(pages.tenant, pages.model) as work:
        await work.store_response("op", "sha256:2", {"number": 1})
    await pages.ledger.abandon_operation(pages.tenant, "op")
    operation = await pages.ledger.read.operation(pages.tenant, "op")

    assert begun.repeated is False
    assert operation is not None
    assert operation.answer == {"number": 1}


@pytest.mark.parametrize("steps", [*range(0, 40, 3), 60, 100])
async def test_a_cancelled_writer_leaves_all_or_nothing(pages: Pages, steps: int) -> None:
    """Wherever it is cancelled: its entry with the note of it, or neither; and the next writer
    does not wait."""
    await pages.register(1)

    async def write() -> None:
        async with pages.ledger.begin(pages.tenant, pages.model) as work:
            await work.append(
                EntryKind.MOVED,
                actor="kim",
                reason="why",
                operation_id="cancelled",
                moves=[StageMove(1, Stage.DEVELOPMENT, Stage.STAGING)],
                forced=True,
            )
            await work.store_response("cancelled", "sha256:1", {"number": 1})
            await work.enqueue_sync()

    writer = asyncio.ensure_future(write())
    for _ in range(steps):
        await asyncio.sleep(0)
    await asyncio.sleep(steps / 10_000)
    writer.cancel()
    await asyncio.wait([writer])
    started = time.perf_counter()
    async with pages.ledger.begin(pages.tenant, pages.model) as work:
        committed = work.model.epoch == 2
    took = time.perf_counter() - started
    notes = await pages.ledger.read.projections(pages.tenant, pages.model)
    operation = await pages.ledger.read.operation(pages.tenant, "cancelled")

    assert took < 3
    assert len(await pages.entries()) == 1 + committed
    assert len(notes) == committed
    assert (operation is not None) is committed
    assert await verify_model(pages.ledger, pages.tenant, pages.model) == 1 + committed


@pytest.mark.parametrize("times", [1, 2])
async def test_a_writer_cancelled_while_it_waits_takes_no_lock(pages: Pages, times: int) -> None:
    """The database may give it the lock after it has gone; the next writer gets it all the same."""
    await pages.register(1)

    async def write() -> None:
        async with pages.ledger.begin(pages.tenant, pages.model):
            raise AssertionError("the lock is held by another writer")

    async with pages.ledger.begin(pages.tenant, pages.model):
        waiting = asyncio.ensure_future(write())
        await asyncio.sleep(0.2)
        for _ in range(times):
            waiting.cancel()
            await asyncio.sleep(0.01)
    await asyncio.wait([waiting])
    async with asyncio.timeout(2):
        await pages.set_policy(PromotionPolicy(shadow={"a": 1}))

    assert waiting.cancelled()
