"""SQL behind the registry's back: refused by the database; and found where somebody went around."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from support.pages import Pages
from support.tampering import corruption, run_statements

from model_lifecycle.registry.ledger.engine import open_engine, writing
from model_lifecycle.registry.ledger.verify import verify_model


@pytest.mark.parametrize("table", ["entries", "evidence"])
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {table} SET model_id = 'x'", "DELETE FROM {table}", "TRUNCATE {table} CASCADE"],
)
async def test_the_database_refuses_changes(
    pages: Pages, database: str, table: str, statement: str
) -> None:
    """No user can update or delete entries and evidence."""
    if "TRUNCATE" in statement and database.startswith("sqlite"):
        statement = "DELETE FROM {table} WHERE 1=1"
    await pages.life()
    engine = open_engine(database)
    with pytest.raises(DBAPIError, match="append-only"):
        async with writing(engine) as connection:
            await connection.execute(text(statement.format(table=table)))
    await engine.dispose()

    assert await verify_model(pages.ledger, pages.tenant, pages.model) == 7


EDITS: dict[str, Any] = {
    "actor": "eve",
    "reason": "nothing to see",
    "production": 2,
    "previous_production": 2,
    "kind": "deleted",
    "operation_id": "another",
    "forced": False,
    "moves": json.dumps([]),
    "evidence": json.dumps([{"evidence_id": "x"}]),
    "detail": json.dumps({"a": 1}),
    "hash": "sha256:" + "0" * 64,
}


@pytest.mark.parametrize("column", EDITS)
async def test_an_edited_entry_is_named(victim: tuple[Pages, AsyncEngine], column: str) -> None:
    """Whichever column it was."""
    pages, engine = victim
    await pages.life()
    value = "CAST(:value AS JSON)" if column in ("moves", "evidence", "detail") else ":value"
    if engine.dialect.name == "sqlite":
        value = ":value"
    await run_statements(
        engine,
        pages,
        f"UPDATE entries SET {column} = {value} WHERE sequence = 3",
        value=EDITS[column],
    )
    error = await corruption(pages)

    assert (error.sequence, error.problem) == (3, "was edited")


async def test_an_entry_with_another_time_is_named(victim: tuple[Pages, AsyncEngine]) -> None:
    """History cannot be moved in time."""
    pages, engine = victim
    await pages.life()
    await run_statements(
        engine,
        pages,
        "UPDATE entries SET at = (SELECT min(at) FROM entries) WHERE sequence = 4",
    )

    assert (await corruption(pages)).sequence == 4


@pytest.mark.parametrize("sequence", [1, 4, 7])
async def test_a_deleted_entry_is_named(victim: tuple[Pages, AsyncEngine], sequence: int) -> None:
    """The first, one in the middle, and the last."""
    pages, engine = victim
    await pages.life()
    await run_statements(engine, pages, f"DELETE FROM entries WHERE sequence = {sequence}")
    error = await corruption(pages)

    assert error.sequence == sequence
    assert "is missing" in error.problem


async def test_swapped_entries_are_named(victim: tuple[Pages, AsyncEngine]) -> None:
    """Two entries that change places are found at the first of them."""
    pages, engine = victim
    await pages.life()
    await run_statements(
        engine,
        pages,
        "UPDATE entries SET sequence = 100 WHERE sequence = 3",
        "UPDATE entries SET sequence = 3 WHERE sequence = 5",
        "UPDATE entries SET sequence = 5 WHERE sequence = 100",
    )

    assert (await corruption(pages)).sequence == 3


async def test_changed_evidence_is_named(victim: tuple[Pages, AsyncEngine]) -> None:
    """The entry that stands on it is named, although the entry itself was not touched."""
    pages, engine = victim
    await pages.life()
    await run_statements(engine, pages, "UPDATE evidence SET verdict = 'FAIL' WHERE version = 1")
    error = await corruption(pages)

    assert error.sequence == 4
    assert "changed since" in error.problem


async def test_deleted_evidence_is_named(victim: tuple[Pages, AsyncEngine]) -> None:
    """The same for evidence that is gone."""
    pages, engine = victim
    await pages.life()
    await run_statements(engine, pages, "DELETE FROM evidence WHERE version = 2")

    assert (await corruption(pages)).sequence == 7


@pytest.mark.parametrize(
    ("statements", "sequence"),
    [
        (["UPDATE versions SET stage = 'staging' WHERE version = 2"], 7),
        (
            [
                "UPDATE versions SET stage = 'archived' WHERE version = 2",
                "UPDATE versions SET stage = 'production' WHERE version = 1",
                "UPDATE models SET production_version = 1 WHERE 1 = 1",
            ],
            7,
        ),
        (["UPDATE models SET production_version = NULL WHERE 1 = 1"], 7),
        (["UPDATE models SET epoch = 6 WHERE 1 = 1"], 7),
        (["UPDATE models SET head_hash = 'sha256:0' WHERE 1 = 1"], 7),
        (["UPDATE versions SET bundle_digest = 'sha256:0' WHERE version = 2"], 5),
        (["UPDATE models SET policy_fingerprint = 'sha256:0' WHERE 1 = 1"], 2),
        (["UPDATE models SET policy = '{}' WHERE 1 = 1"], 2),
    ],
    ids=lambda value: value[-1][7:40] if isinstance(value, list) else "",
)
async def test_tables_that_tell_something_else_are_found(
    victim: tuple[Pages, AsyncEngine], statements: list[str], sequence: int
) -> None:
    """Stages, production, digests and policies that the entries did not lead to."""
    pages, engine = victim
    await pages.life()
    await run_statements(engine, pages, *statements)

    assert (await corruption(pages)).sequence == sequence


async def test_other_models_are_none_the_worse(victim: tuple[Pages, AsyncEngine]) -> None:
    """Each model has a chain of its own."""
    pages, engine = victim
    other = Pages(pages.ledger)
    await pages.life()
    await other.life()
    await run_statements(engine, pages, "UPDATE entries SET actor = 'eve' WHERE sequence = 1")

    assert await verify_model(other.ledger, other.tenant, other.model) == 7


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE versions SET evidence_since = 0 WHERE version = 1",
        "UPDATE versions SET first_production = NULL WHERE version = 1",
        "UPDATE versions SET left_production = 'retired' WHERE version = 1",
    ],
)
async def test_a_past_that_was_edited_is_named(
    victim: tuple[Pages, AsyncEngine], statement: str
) -> None:
    """It decides which proof counts, what may be deleted and what a rollback chooses."""
    pages, engine = victim
    await pages.life()
    await run_statements(engine, pages, statement)

    assert (await corruption(pages)).sequence == 7


async def test_a_changed_recorder_of_evidence_is_named(
    victim: tuple[Pages, AsyncEngine],
) -> None:
    """The recorder of evidence and its time are part of the proof of a promotion."""
    pages, engine = victim
    await pages.life()
    await run_statements(engine, pages, "UPDATE evidence SET recorded_by = 'eve' WHERE version = 1")

    assert (await corruption(pages)).sequence == 4
