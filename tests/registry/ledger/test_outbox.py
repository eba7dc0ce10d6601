"""Notes of changes that MLflow may not show yet: they go only while the model stands still."""

from __future__ import annotations

from support.pages import Pages


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
    """What it showed may have come after the newer state: its note stays."""
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
