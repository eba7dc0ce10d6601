"""SQL behind the registry's back: refused by the database; and found where somebody went around."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from support.pages import Pages

from model_lifecycle.registry.domain.errors import LedgerCorrupt
from model_lifecycle.registry.domain.models import EntryKind, LedgerEntry, StageMove
from model_lifecycle.registry.domain.stages import Stage
from model_lifecycle.registry.ledger.engine import open_engine, writing
from model_lifecycle.registry.ledger.hash_chain import sealed
from model_lifecycle.registry.ledger.ledger import Ledger
from model_lifecycle.registry.ledger.mappers import entry_values
from model_lifecycle.registry.ledger.stage_moves import apply_moves
from model_lifecycle.registry.ledger.tables import entries
from model_lifecycle.registry.ledger.verify import verify_model

TRIGGERS = {
    "sqlite": [
        f"DROP TRIGGER {table}_no_{change}"
        for table in ("entries", "evidence")
        for change in ("update", "delete")
    ],
    "postgresql": [
        f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in ("entries", "evidence")
    ],
}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def intruder(
    request: pytest.FixtureRequest, database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Pages, AsyncEngine]]:
    """A ledger of its own whose triggers are gone, and a way to write into it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('intruder')}/ledger.db"
    if database.startswith("postgresql"):
        server = request.getfixturevalue("postgres_server")
        url = server.url("asyncpg", server.create_database())
    from model_lifecycle.registry.ledger.migrate import upgrade

    await upgrade(url)
    ledger = await Ledger.open(url)
    engine = open_engine(url)
    async with writing(engine) as connection:
        for statement in TRIGGERS[engine.dialect.name]:
            await connection.execute(text(statement))
    yield Pages(ledger), engine
    await engine.dispose()
    await ledger.close()


async def _run(engine: AsyncEngine, pages: Pages, *statements: str, **values: Any) -> None:
    async with writing(engine) as connection:
        for statement in statements:
            done = await connection.execute(
                text(f"{statement} AND tenant_id = :tenant AND model_id = :model"),
                {**values, "tenant": pages.tenant, "model": pages.model},
            )
            assert done.rowcount, statement


@pytest.mark.parametrize("table", ["entries", "evidence"])
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {table} SET model_id = 'x'", "DELETE FROM {table}", "TRUNCATE {table} CASCADE"],
)
async def test_the_database_refuses_changes(
    pages: Pages, database: str, table: str, statement: str
) -> None:
    """Entries and evidence cannot be updated or deleted, whoever asks."""
    if "TRUNCATE" in statement and database.startswith("sqlite"):
        statement = "DELETE FROM {table} WHERE 1=1"
    await pages.life()
    engine = open_engine(database)
    with pytest.raises(DBAPIError, match="append-only"):
        async with writing(engine) as connection:
            await connection.execute(text(statement.format(table=table)))
    await engine.dispose()

    assert await verify_model(pages.ledger, pages.tenant, pages.model) == 7


async def _corrupt(pages: Pages) -> LedgerCorrupt:
    with pytest.raises(LedgerCorrupt) as caught:
        await verify_model(pages.ledger, pages.tenant, pages.model)
    return caught.value


@pytest.fixture
def victim(intruder: tuple[Pages, AsyncEngine]) -> tuple[Pages, AsyncEngine]:
    """A fresh model in the ledger without triggers."""
    pages, engine = intruder
    return Pages(pages.ledger), engine


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
    await _run(
        engine,
        pages,
        f"UPDATE entries SET {column} = {value} WHERE sequence = 3",
        value=EDITS[column],
    )
    error = await _corrupt(pages)

    assert (error.sequence, error.problem) == (3, "was edited")


async def test_an_entry_with_another_time_is_named(victim: tuple[Pages, AsyncEngine]) -> None:
    """History cannot be moved in time."""
    pages, engine = victim
    await pages.life()
    await _run(
        engine,
        pages,
        "UPDATE entries SET at = (SELECT min(at) FROM entries) WHERE sequence = 4",
    )

    assert (await _corrupt(pages)).sequence == 4


@pytest.mark.parametrize("sequence", [1, 4, 7])
async def test_a_deleted_entry_is_named(victim: tuple[Pages, AsyncEngine], sequence: int) -> None:
    """The first, one in the middle, and the last."""
    pages, engine = victim
    await pages.life()
    await _run(engine, pages, f"DELETE FROM entries WHERE sequence = {sequence}")
    error = await _corrupt(pages)

    assert error.sequence == sequence
    assert "is missing" in error.problem


async def test_swapped_entries_are_named(victim: tuple[Pages, AsyncEngine]) -> None:
    """Two entries that change places are found at the first of them."""
    pages, engine = victim
    await pages.life()
    await _run(
        engine,
        pages,
        "UPDATE entries SET sequence = 100 WHERE sequence = 3",
        "UPDATE entries SET sequence = 3 WHERE sequence = 5",
        "UPDATE entries SET sequence = 5 WHERE sequence = 100",
    )

    assert (await _corrupt(pages)).sequence == 3


async def test_changed_evidence_is_named(victim: tuple[Pages, AsyncEngine]) -> None:
    """The entry that stands on it is told, although the entry itself was not touched."""
    pages, engine = victim
    await pages.life()
    await _run(engine, pages, "UPDATE evidence SET verdict = 'FAIL' WHERE version = 1")
    error = await _corrupt(pages)

    assert error.sequence == 4
    assert "changed since" in error.problem


async def test_deleted_evidence_is_named(victim: tuple[Pages, AsyncEngine]) -> None:
    """The same for evidence that is gone."""
    pages, engine = victim
    await pages.life()
    await _run(engine, pages, "DELETE FROM evidence WHERE version = 2")

    assert (await _corrupt(pages)).sequence == 7


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
    await _run(engine, pages, *statements)

    assert (await _corrupt(pages)).sequence == sequence


async def test_other_models_are_none_the_worse(victim: tuple[Pages, AsyncEngine]) -> None:
    """Each model has a chain of its own."""
    pages, engine = victim
    other = Pages(pages.ledger)
    await pages.life()
    await other.life()
    await _run(engine, pages, "UPDATE entries SET actor = 'eve' WHERE sequence = 1")

    assert await verify_model(other.ledger, other.tenant, other.model) == 7


async def _forge(pages: Pages, engine: AsyncEngine, **changes: Any) -> None:
    """Append an entry with the right hashes, and make the tables agree with it."""
    async with pages.ledger.snapshot(pages.tenant, pages.model) as book:
        model = book.model
    fields: dict[str, Any] = {
        "tenant_id": pages.tenant,
        "model_id": pages.model,
        "sequence": model.epoch + 1,
        "kind": EntryKind.MOVED,
        "at": pages.ledger.clock(),
        "actor": "kim",
        "reason": "why",
        "moves": (),
        "production": model.production_version,
        "previous_production": model.production_version,
        "evidence": (),
        "forced": False,
        "operation_id": "forged",
        "detail": {},
        "previous_hash": model.head_hash,
        "hash": "",
    }
    entry = sealed(LedgerEntry(**{**fields, **changes}))
    async with writing(engine) as connection:
        await connection.execute(insert(entries), entry_values(entry))
        if entry.moves:
            into = sorted(entry.moves, key=lambda move: move.target is Stage.PRODUCTION)
            await apply_moves(connection, entry, into)
    await _run(
        engine,
        pages,
        "UPDATE models SET epoch = :epoch, head_hash = :hash, production_version = :production "
        "WHERE 1 = 1",
        epoch=entry.sequence,
        hash=entry.hash,
        production=entry.production,
    )


D, S, P, A, X = Stage
#: After ``life`` with a third version: 1 is archived, 2 in production, 3 in development.
FORGERIES: dict[str, tuple[dict[str, Any], str]] = {
    "a stage it was not in": (
        {"moves": (StageMove(3, S, P), StageMove(2, P, A)), "production": 3},
        "moves version 3 from staging, but it was in development",
    ),
    "no such move": (
        {"moves": (StageMove(3, D, P), StageMove(2, P, A)), "production": 3},
        "breaks the rules: a version cannot go from development to production",
    ),
    "no evidence": ({"moves": (StageMove(3, D, S),)}, "without evidence of validation"),
    "no reason": ({"moves": (StageMove(2, P, A),), "production": None, "reason": " "}, "reason"),
    "an archived version in production": (
        {"moves": (StageMove(1, A, P), StageMove(2, P, A)), "production": 1},
        "from archived to production",
    ),
    "a deleted production version": (
        {"kind": EntryKind.DELETED, "moves": (StageMove(2, P, X),), "production": None},
        "from production to deleted",
    ),
    "another production than its moves leave": ({"production": 3}, "names another production"),
    "another production before it": ({"previous_production": 1}, "production version before it"),
    "a move in an entry of another kind": (
        {"kind": EntryKind.REGISTERED, "moves": (StageMove(1, A, D),)},
        "enters version 1",
    ),
}


@pytest.mark.parametrize("case", FORGERIES)
async def test_an_entry_that_the_rules_do_not_allow_is_named(
    victim: tuple[Pages, AsyncEngine], case: str
) -> None:
    """Although its hashes are right and the tables agree with it."""
    pages, engine = victim
    await pages.life()
    await pages.register(3)
    changes, words = FORGERIES[case]
    bundle = {"detail": {"bundle_digest": f"sha256:{1:064x}"}}
    await _forge(pages, engine, **changes, **(bundle if "another kind" in case else {}))
    error = await _corrupt(pages)

    assert error.sequence == 9
    assert words in error.problem


async def test_evidence_from_before_the_last_exit_is_named(
    victim: tuple[Pages, AsyncEngine],
) -> None:
    """A promotion that somebody wrote on the proof of the version's earlier life."""
    pages, engine = victim
    await pages.life()
    (old,) = await pages.ledger.read.evidence(pages.tenant, pages.model, 2)
    await pages.move((2, P, D), (1, A, P), kind=EntryKind.ROLLED_BACK)
    await pages.move((2, D, S))
    reference = {
        "evidence_id": old.evidence_id,
        "gate": "shadow",
        "verdict": "PASS",
        "digest": old.digest(),
    }
    moves = (StageMove(2, S, P), StageMove(1, P, A))
    await _forge(pages, engine, moves=moves, production=2, evidence=(reference,))

    assert "without evidence of shadow or ab_test" in (await _corrupt(pages)).problem


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
    await _run(engine, pages, statement)

    assert (await _corrupt(pages)).sequence == 7


async def test_a_changed_recorder_of_evidence_is_named(
    victim: tuple[Pages, AsyncEngine],
) -> None:
    """Who recorded it, and when, is part of what the promotion stands on."""
    pages, engine = victim
    await pages.life()
    await _run(engine, pages, "UPDATE evidence SET recorded_by = 'eve' WHERE version = 1")

    assert (await _corrupt(pages)).sequence == 4
