"""Models in bulk, straight into the ledger's tables, with chains that verify."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from model_lifecycle.registry.attestation.hash_chain import GENESIS, sealed
from model_lifecycle.registry.domain.models import (
    EntryKind,
    LedgerEntry,
    StageMove,
    VersionMetadata,
)
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.domain.stage_record import StageRecord
from model_lifecycle.registry.domain.stages import Stage
from model_lifecycle.registry.ledger import tables
from model_lifecycle.registry.ledger.engine import writing
from model_lifecycle.registry.ledger.mappers import entry_values, version_values

BIG = "giant"
_BORN = datetime(2026, 1, 1, tzinfo=UTC)
_CHUNK = 1000
_DIGEST = "sha256:" + "0" * 64


def tenant(number: int) -> str:
    return f"tenant-{number:03d}"


def model(number: int) -> str:
    return f"model-{number:05d}"


async def populate(
    engine: AsyncEngine, root: str, *, tenants: int, models_each: int, giant_versions: int = 0
) -> None:
    """``models_each`` models of two versions in each tenant, the last one in production, with
    their history and files that belong below the address ``root``; and in the second tenant one
    model of ``giant_versions``. Statistics are fresh afterwards, as they are in a database that has
    lived."""
    rows: dict[str, list[dict[str, Any]]] = {"models": [], "versions": [], "entries": []}
    for owner in range(tenants):
        for number in range(models_each):
            _model(rows, root, tenant(owner), model(number), 2)
    if giant_versions:
        _model(rows, root, tenant(1), BIG, giant_versions)
    async with writing(engine) as connection:
        for name, table in (
            ("models", tables.models),
            ("versions", tables.versions),
            ("entries", tables.entries),
        ):
            for chunk in _chunks(rows[name]):
                await connection.execute(insert(table), chunk)
    async with writing(engine) as connection:
        await connection.execute(text("ANALYZE"))


def _model(
    rows: dict[str, list[dict[str, Any]]], root: str, owner: str, name: str, versions: int
) -> None:
    """Each version is registered and promoted by force, as nothing was measured: three entries, a
    second apart."""
    policy = PromotionPolicy()
    records: dict[int, StageRecord] = {}
    ages: dict[int, datetime] = {}
    head, at, production = GENESIS, _BORN, None
    for number in range(1, versions + 1):
        moves = [StageMove(number, Stage.STAGING, Stage.PRODUCTION)]
        if production is not None:
            moves.append(StageMove(production, Stage.PRODUCTION, Stage.ARCHIVED))
        steps = (
            (EntryKind.REGISTERED, (StageMove(number, None, Stage.DEVELOPMENT),), production),
            (EntryKind.MOVED, (StageMove(number, Stage.DEVELOPMENT, Stage.STAGING),), production),
            (EntryKind.MOVED, tuple(moves), number),
        )
        for step, (kind, moved, after) in enumerate(steps, start=3 * number - 2):
            at += timedelta(seconds=1)
            entry = sealed(
                replace(
                    _entry(owner, name, step, at),
                    kind=kind,
                    forced=kind is EntryKind.MOVED,
                    moves=moved,
                    detail=({"bundle_digest": _DIGEST} if kind is EntryKind.REGISTERED else {}),
                    production=after,
                    previous_production=production,
                    previous_hash=head,
                )
            )
            rows["entries"].append(entry_values(entry))
            for move in moved:
                before = records.get(move.version, StageRecord())
                records[move.version] = before.after(move, moved, step)
            head = entry.hash
        production, ages[number] = number, at
    for number, record in records.items():
        version = _version(
            root, owner, name, number, record.stage or Stage.DEVELOPMENT, ages[number]
        )
        past = {
            "evidence_since": record.evidence_since,
            "first_production": record.first_production,
            "left_production": record.left_production and record.left_production.value,
        }
        rows["versions"].append({**version_values(version), **past})
    rows["models"].append(
        {
            "tenant_id": owner,
            "model_id": name,
            "description": "predicts delays",
            "model_type": "classification",
            "policy": policy.document(),
            "policy_fingerprint": policy.fingerprint,
            "epoch": 3 * versions,
            "head_hash": head,
            "production_version": versions,
            "current_version": versions,
            "stage": Stage.PRODUCTION.value,
            "framework": "sklearn",
            "created_at": _BORN,
            "created_by": "kim",
            "updated_at": at,
        }
    )


def _version(
    root: str, owner: str, name: str, number: int, stage: Stage, at: datetime
) -> VersionMetadata:
    return VersionMetadata(
        tenant_id=owner,
        model_id=name,
        version=number,
        stage=stage,
        framework="sklearn",
        metrics={"accuracy": 0.9, "auc": 0.8, "brier": 0.1},
        parameters={"C": "1.0", "max_iter": "100"},
        tags={"team": "flights"},
        artifact_uri=f"{root}/{owner}/models/{name}/{number}",
        bundle_digest=_DIGEST,
        run_id="0" * 32,
        logged_model_id="m-" + "0" * 32,
        created_at=at,
        created_by="kim",
        updated_at=at,
    )


def _entry(owner: str, name: str, sequence: int, at: datetime) -> LedgerEntry:
    return LedgerEntry(
        tenant_id=owner,
        model_id=name,
        sequence=sequence,
        kind=EntryKind.MOVED,
        at=at,
        actor="kim",
        reason="",
        moves=(),
        production=None,
        previous_production=None,
        evidence=(),
        forced=False,
        operation_id=f"{name}/{sequence}",
        detail={},
        previous_hash=GENESIS,
        hash="",
    )


def _chunks(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]
