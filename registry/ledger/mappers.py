"""Rows of the tables as the values of the rules, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..domain.evidence import Evidence, Origin, Verdict
from ..domain.models import EntryKind, LedgerEntry, ModelMetadata, StageMove, VersionMetadata
from ..domain.promotion_policy import PromotionPolicy
from ..domain.stage_record import Departure, StageRecord
from ..domain.stages import Gate, Stage


@dataclass(frozen=True)
class ModelRow:
    """A model as the ledger keeps it."""

    tenant_id: str
    model_id: str
    description: str
    model_type: str
    policy: PromotionPolicy
    policy_fingerprint: str
    epoch: int
    head_hash: str
    evidence_count: int
    evidence_head: str
    production_version: int | None
    current_version: int | None
    stage: str | None
    framework: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime


@dataclass(frozen=True)
class Change:
    """The change of one transaction: the model before and after it, and its moves, of which those
    without a source ``made`` a version. ``token`` names the note that MLflow has to follow."""

    token: str
    before: ModelRow
    after: ModelRow
    moves: tuple[StageMove, ...]
    made: Mapping[int, VersionMetadata]

    @property
    def versions(self) -> list[int]:
        return sorted({move.version for move in self.moves})


@dataclass(frozen=True)
class PromotionState:
    """The ledger's state before a version goes to production. ``candidate`` is None where the
    version does not exist, ``pending`` tells of changes that MLflow may not show yet."""

    model: ModelRow
    candidate: VersionMetadata | None
    production: VersionMetadata | None
    pending: bool

    @property
    def versions(self) -> dict[int, VersionMetadata]:
        """Both versions by number."""
        return {item.version: item for item in (self.candidate, self.production) if item}


@dataclass(frozen=True)
class Operation:
    """An operation as the ledger keeps it. ``answer`` is None until it has committed; ``plan`` is
    what is needed to finish it; ``repeated`` tells a repetition from a first call."""

    tenant_id: str
    operation_id: str
    model_id: str
    request: str
    started_at: datetime
    answer: Mapping[str, Any] | None
    plan: Mapping[str, Any] | None
    repeated: bool = True


def operation(row: Mapping[str, Any], *, repeated: bool = True) -> Operation:
    return Operation(**row, repeated=repeated)


def model_row(row: Mapping[str, Any]) -> ModelRow:
    return ModelRow(
        tenant_id=row["tenant_id"],
        model_id=row["model_id"],
        description=row["description"],
        model_type=row["model_type"],
        policy=PromotionPolicy.from_document(row["policy"]),
        policy_fingerprint=row["policy_fingerprint"],
        epoch=row["epoch"],
        head_hash=row["head_hash"],
        evidence_count=row["evidence_count"],
        evidence_head=row["evidence_head"],
        production_version=row["production_version"],
        current_version=row["current_version"],
        stage=row["stage"],
        framework=row["framework"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        updated_at=row["updated_at"],
    )


def model_metadata(
    row: ModelRow, current: VersionMetadata, versions: tuple[int, ...]
) -> ModelMetadata:
    """The model as its readers see it: by its ``current`` version."""
    return ModelMetadata(
        model_id=row.model_id,
        tenant_id=row.tenant_id,
        name=row.model_id,
        description=row.description,
        model_type=row.model_type,
        framework=current.framework,
        current_version=current.version,
        versions=versions,
        stage=current.stage,
        metrics=current.metrics,
        parameters=current.parameters,
        tags=current.tags,
        created_at=row.created_at,
        updated_at=row.updated_at,
        created_by=row.created_by,
        artifact_uri=current.artifact_uri,
        production_version=row.production_version,
        epoch=row.epoch,
    )


def version_metadata(row: Mapping[str, Any]) -> VersionMetadata:
    fields = {key: value for key, value in row.items() if key not in _PAST}
    return VersionMetadata(**{**fields, "stage": Stage(row["stage"])})


def stage_record(row: Mapping[str, Any]) -> StageRecord:
    """The past of a version, from its row of ``versions``. The entry that put it into its stage
    is not in the row."""
    left = row["left_production"]
    return StageRecord(
        stage=Stage(row["stage"]),
        evidence_since=row["evidence_since"],
        first_production=row["first_production"],
        left_production=Departure(left) if left else None,
    )


_PAST = frozenset({"evidence_since", "first_production", "left_production"})


def version_values(version: VersionMetadata) -> dict[str, Any]:
    return {
        "tenant_id": version.tenant_id,
        "model_id": version.model_id,
        "version": version.version,
        "stage": version.stage.value,
        "framework": version.framework,
        "metrics": dict(version.metrics),
        "parameters": dict(version.parameters),
        "tags": dict(version.tags),
        "artifact_uri": version.artifact_uri,
        "bundle_digest": version.bundle_digest,
        "run_id": version.run_id,
        "logged_model_id": version.logged_model_id,
        "created_at": version.created_at,
        "created_by": version.created_by,
        "updated_at": version.updated_at,
    }


def ledger_entry(row: Mapping[str, Any]) -> LedgerEntry:
    return LedgerEntry(
        **{
            **row,
            "kind": EntryKind(row["kind"]),
            "moves": tuple(StageMove.from_document(move) for move in row["moves"]),
            "evidence": tuple(row["evidence"]),
        }
    )


def entry_of_row(row: Sequence[Any]) -> LedgerEntry:
    """The entry in a row of all columns of ``entries``, which are in the order of its fields. For
    reads of many entries: a fifth of the time of :func:`ledger_entry`."""
    tenant, model, sequence, kind, at, actor, reason, moves, *rest = row
    production, previous, evidence, forced, operation_id, detail, previous_hash, own_hash = rest
    return LedgerEntry(
        tenant,
        model,
        sequence,
        EntryKind(kind),
        at,
        actor,
        reason,
        tuple([StageMove.from_document(move) for move in moves]),
        production,
        previous,
        tuple(evidence),
        forced,
        operation_id,
        detail,
        previous_hash,
        own_hash,
    )


def entry_values(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "tenant_id": entry.tenant_id,
        "model_id": entry.model_id,
        "sequence": entry.sequence,
        "kind": entry.kind.value,
        "at": entry.at,
        "actor": entry.actor,
        "reason": entry.reason,
        "moves": [move.document() for move in entry.moves],
        "production": entry.production,
        "previous_production": entry.previous_production,
        "evidence": [dict(item) for item in entry.evidence],
        "forced": entry.forced,
        "operation_id": entry.operation_id,
        "detail": dict(entry.detail),
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


_NOT_OF_EVIDENCE = frozenset({"check_name", "chain_position", "chain_hash"})


def evidence_item(row: Mapping[str, Any]) -> Evidence:
    fields = {key: value for key, value in row.items() if key not in _NOT_OF_EVIDENCE}
    return Evidence(
        **{
            **fields,
            "check": row["check_name"],
            "gate": Gate(row["gate"]),
            "verdict": Verdict(row["verdict"]),
            "origin": Origin(row["origin"]),
        }
    )


def evidence_values(item: Evidence) -> dict[str, Any]:
    values = {**item.document(), "recorded_at": item.recorded_at, "check_name": item.check}
    del values["check"]
    return values
