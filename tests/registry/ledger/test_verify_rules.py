"""Entries that somebody appended with the right hashes, against the rules of stages and proof."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from support.pages import Pages
from support.tampering import corruption, run_statements

from model_lifecycle.registry.attestation.hash_chain import sealed
from model_lifecycle.registry.domain.models import EntryKind, LedgerEntry, StageMove
from model_lifecycle.registry.domain.stages import Stage
from model_lifecycle.registry.ledger.engine import writing
from model_lifecycle.registry.ledger.mappers import entry_values
from model_lifecycle.registry.ledger.stage_moves import apply_moves
from model_lifecycle.registry.ledger.tables import entries


async def forge(pages: Pages, engine: AsyncEngine, **changes: Any) -> None:
    """Append an entry with the right hashes, and make the tables agree with it."""
    async with pages.ledger.snapshot(pages.tenant, pages.model) as work:
        model = work.model
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
    await run_statements(
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
    await forge(pages, engine, **changes, **(bundle if "another kind" in case else {}))
    error = await corruption(pages)

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
    await forge(pages, engine, moves=moves, production=2, evidence=(reference,))

    assert "without evidence of shadow or ab_test" in (await corruption(pages)).problem
