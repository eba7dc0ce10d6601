"""Reads of the ledger. Each is one indexed query and one round trip, whatever the number of
models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    Select,
    String,
    Table,
    bindparam,
    cast,
    exists,
    func,
    select,
    true,
    tuple_,
    union,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from ..domain.evidence import Evidence
from ..domain.identifiers import ModelId, TenantId
from ..domain.models import LedgerEntry, ModelMetadata, VersionMetadata
from ..domain.stages import Stage
from . import tables
from .engine import autocommit, read
from .mappers import (
    ModelRow,
    Operation,
    PromotionState,
    evidence_item,
    ledger_entry,
    model_row,
    operation,
    version_metadata,
)


class LedgerReader:
    """Answers from the ledger alone; deleted versions and models without versions are absent."""

    def __init__(self, engine: AsyncEngine, patient: AsyncEngine) -> None:
        """``patient`` is for reads that may take longer than a request."""
        self._engine = autocommit(engine)
        self._patient = autocommit(patient)

    async def model(self, tenant: TenantId, model: ModelId) -> ModelMetadata | None:
        """The model with its current version; None if the tenant has no such model."""
        rows = await read(self._engine, _MODEL, {"tenant": tenant, "model": model})
        return _model(rows[0]) if rows else None

    async def models(
        self,
        tenant: TenantId,
        *,
        stage: Stage | None,
        framework: str | None,
        limit: int | None,
        after: str | None,
    ) -> list[ModelMetadata]:
        """Models whose name follows ``after``, by name: at most ``limit``; all of them without,
        however long that takes."""
        models = tables.models
        query = _MODELS
        if stage is not None:
            query = query.where(models.c.stage == stage.value)
        if framework is not None:
            query = query.where(models.c.framework == framework)
        if after is not None:
            query = query.where(models.c.model_id > after)
        query = query.order_by(models.c.model_id).limit(limit)
        engine = self._patient if limit is None else self._engine
        return [_model(row) for row in await read(engine, query, {"tenant": tenant})]

    async def row(self, tenant: TenantId, model: ModelId) -> ModelRow | None:
        """The model's own row, also where all its versions were deleted."""
        rows = await self._rows(
            select(tables.models).where(*_of_model(tables.models, tenant, model))
        )
        return model_row(rows[0]) if rows else None

    async def promotion(
        self, tenant: TenantId, model: ModelId, version: int
    ) -> PromotionState | None:
        """The model with this version and the one in production; None if there is no such
        model."""
        rows = await read(
            self._engine, _PROMOTION, {"tenant": tenant, "model": model, "version": version}
        )
        if not rows:
            return None
        row = model_row(_columns(rows[0], tables.models))
        versions = {
            item["versions_version"]: version_metadata(_columns(item, tables.versions))
            for item in rows
            if item["versions_stage"] not in (None, Stage.DELETED.value)
        }
        production = row.production_version
        return PromotionState(
            model=row,
            candidate=versions.get(version),
            production=None if production is None else versions[production],
            pending=rows[0]["pending"],
        )

    async def model_ids(self, tenant: TenantId | None) -> list[tuple[TenantId, ModelId]]:
        """Every model, of one tenant or of all: for maintenance, not for requests."""
        query = select(tables.models.c.tenant_id, tables.models.c.model_id).order_by(
            tables.models.c.tenant_id, tables.models.c.model_id
        )
        if tenant is not None:
            query = query.where(tables.models.c.tenant_id == tenant)
        rows = await self._rows(query)
        return [(TenantId(row["tenant_id"]), ModelId(row["model_id"])) for row in rows]

    async def recorded_models(self, tenant: TenantId | None) -> list[tuple[TenantId, ModelId]]:
        """Every model that is in the table of models or has an entry, of one tenant or of all.

        A model whose row somebody removed is known by its entries. Reads the names of all entries:
        for verification, not for requests.
        """
        names = [
            select(table.c.tenant_id, table.c.model_id).distinct()
            for table in (tables.models, tables.entries)
        ]
        if tenant is not None:
            names = [query.where(query.selected_columns.tenant_id == tenant) for query in names]
        rows = await read(self._patient, union(*names))
        return sorted((TenantId(row["tenant_id"]), ModelId(row["model_id"])) for row in rows)

    async def epochs(
        self, models: Iterable[tuple[TenantId, ModelId]]
    ) -> dict[tuple[TenantId, ModelId], int]:
        """The number of entries of each of these models, in one query; absent: no such model."""
        columns = (tables.models.c.tenant_id, tables.models.c.model_id)
        rows = await self._rows(
            select(*columns, tables.models.c.epoch).where(tuple_(*columns).in_(list(models)))
        )
        return {(row["tenant_id"], row["model_id"]): row["epoch"] for row in rows}

    async def versions_of(
        self, models: Iterable[tuple[TenantId, ModelId]]
    ) -> list[VersionMetadata]:
        """The versions of these models, by model, in one query; deleted ones are absent."""
        versions = tables.versions
        columns = (versions.c.tenant_id, versions.c.model_id)
        rows = await self._rows(
            select(versions)
            .where(tuple_(*columns).in_(list(models)), _NOT_DELETED)
            .order_by(*columns, versions.c.version)
        )
        return [version_metadata(row) for row in rows]

    async def version(
        self, tenant: TenantId, model: ModelId, version: int
    ) -> VersionMetadata | None:
        rows = await self._rows(
            select(tables.versions).where(
                *_of_model(tables.versions, tenant, model),
                tables.versions.c.version == version,
                _NOT_DELETED,
            )
        )
        return version_metadata(rows[0]) if rows else None

    async def versions(
        self,
        tenant: TenantId,
        model: ModelId,
        *,
        deleted: bool = False,
        after: int = 0,
        limit: int | None = None,
    ) -> list[VersionMetadata]:
        """The model's versions above ``after``, ascending; those that were deleted only with
        ``deleted``."""
        versions = tables.versions
        rows = await self._rows(
            select(versions)
            .where(*_of_model(versions, tenant, model), true() if deleted else _NOT_DELETED)
            .where(versions.c.version > after)
            .order_by(versions.c.version)
            .limit(limit)
        )
        return [version_metadata(row) for row in rows]

    async def newest(
        self, tenant: TenantId, model: ModelId, stage: Stage
    ) -> VersionMetadata | None:
        """The newest version in ``stage``; None if there is none."""
        rows = await self._rows(
            select(tables.versions)
            .where(
                *_of_model(tables.versions, tenant, model), tables.versions.c.stage == stage.value
            )
            .order_by(tables.versions.c.version.desc())
            .limit(1)
        )
        return version_metadata(rows[0]) if rows else None

    async def any_version(self) -> VersionMetadata | None:
        """Some version of some tenant: what all have in common can be read from it. None in a
        ledger that has none."""
        rows = await self._rows(select(tables.versions).where(_NOT_DELETED).limit(1))
        return version_metadata(rows[0]) if rows else None

    async def highest_version(self, tenant: TenantId, model: ModelId) -> int:
        """The highest number that a version of the model ever had; 0 if there is none."""
        versions = tables.versions
        rows = await self._rows(
            select(func.max(versions.c.version).label("highest")).where(
                *_of_model(versions, tenant, model)
            )
        )
        return rows[0]["highest"] or 0

    async def versions_by_number(
        self, tenant: TenantId, model: ModelId, numbers: Iterable[int]
    ) -> list[VersionMetadata]:
        """These versions as the ledger has them, also those that were deleted."""
        rows = await self._rows(
            select(tables.versions).where(
                *_of_model(tables.versions, tenant, model),
                tables.versions.c.version.in_(sorted(numbers)),
            )
        )
        return [version_metadata(row) for row in rows]

    async def evidence(
        self,
        tenant: TenantId,
        model: ModelId,
        version: int,
        *,
        after: tuple[datetime, str] | None = None,
        limit: int | None = None,
    ) -> list[Evidence]:
        """At most ``limit`` pieces of evidence of the version, oldest first: those recorded after
        the time and evidence id of ``after``."""
        evidence = tables.evidence
        order = (evidence.c.recorded_at, evidence.c.evidence_id)
        query = (
            select(evidence)
            .where(*_of_model(evidence, tenant, model), evidence.c.version == version)
            .order_by(*order)
            .limit(limit)
        )
        if after is not None:
            at, evidence_id = after
            query = query.where((order[0] > at) | ((order[0] == at) & (order[1] > evidence_id)))
        return [evidence_item(row) for row in await self._rows(query)]

    async def evidence_by_id(
        self, tenant: TenantId, model: ModelId, version: int, evidence_id: str
    ) -> Evidence | None:
        """One piece of evidence of the version; None if the version has none with that id."""
        evidence = tables.evidence
        rows = await self._rows(
            select(evidence).where(
                *_of_model(evidence, tenant, model),
                evidence.c.version == version,
                evidence.c.evidence_id == evidence_id,
            )
        )
        return evidence_item(rows[0]) if rows else None

    async def model_evidence(self, tenant: TenantId, model: ModelId) -> list[Evidence]:
        """Evidence of all versions of the model, deleted ones included, oldest first."""
        rows = await self._rows(
            select(tables.evidence)
            .where(*_of_model(tables.evidence, tenant, model))
            .order_by(tables.evidence.c.recorded_at)
        )
        return [evidence_item(row) for row in rows]

    async def entries(
        self, tenant: TenantId, model: ModelId, *, after: int = 0, limit: int | None = None
    ) -> list[LedgerEntry]:
        """Entries with a sequence above ``after``, oldest first; all of them without ``limit``,
        however long that takes."""
        query = (
            select(tables.entries)
            .where(*_of_model(tables.entries, tenant, model), tables.entries.c.sequence > after)
            .order_by(tables.entries.c.sequence)
        )
        engine = self._patient if limit is None else self._engine
        return [ledger_entry(row) for row in await read(engine, query.limit(limit))]

    async def entry_of(
        self, tenant: TenantId, model: ModelId, operation_id: str
    ) -> LedgerEntry | None:
        """The entry that the operation appended; None if it has appended none."""
        entries = tables.entries
        rows = await self._rows(
            select(entries)
            .where(*_of_model(entries, tenant, model), entries.c.operation_id == operation_id)
            .order_by(entries.c.sequence.desc())
            .limit(1)
        )
        return ledger_entry(rows[0]) if rows else None

    async def entry_at(
        self, tenant: TenantId, model: ModelId, when: datetime
    ) -> LedgerEntry | None:
        """The last entry at or before ``when``; None if the model did not exist."""
        rows = await self._rows(
            select(tables.entries)
            .where(*_of_model(tables.entries, tenant, model), tables.entries.c.at <= when)
            .order_by(tables.entries.c.at.desc())
            .limit(1)
        )
        return ledger_entry(rows[0]) if rows else None

    async def operation(self, tenant: TenantId, operation_id: str) -> Operation | None:
        """The tenant's operation with this id, committed or pending."""
        rows = await read(self._engine, _OPERATION, {"tenant": tenant, "operation": operation_id})
        return operation(rows[0]) if rows else None

    async def begun_models(self, tenant: TenantId | None) -> set[tuple[TenantId, ModelId]]:
        """Models with operations that were begun and have not committed."""
        operations = tables.operations
        query = select(operations.c.tenant_id, operations.c.model_id).distinct()
        query = query.where(operations.c.answer.is_(None))
        if tenant is not None:
            query = query.where(operations.c.tenant_id == tenant)
        rows = await self._rows(query)
        return {(TenantId(row["tenant_id"]), ModelId(row["model_id"])) for row in rows}

    async def pending_operations(self, tenant: TenantId, model: ModelId) -> list[Operation]:
        """The model's operations that were begun and have not committed, oldest first."""
        rows = await self._rows(
            select(tables.operations)
            .where(
                *_of_model(tables.operations, tenant, model), tables.operations.c.answer.is_(None)
            )
            .order_by(tables.operations.c.started_at)
        )
        return [operation(row) for row in rows]

    async def projections(self, tenant: TenantId, model: ModelId) -> list[Mapping[str, Any]]:
        """Notes of changes that MLflow may not show yet."""
        return await self._rows(
            select(tables.projections).where(*_of_model(tables.projections, tenant, model))
        )

    async def _rows(self, query: Select[Any]) -> list[Mapping[str, Any]]:
        return await read(self._engine, query)


def _metadata() -> Select[Any]:
    models, versions = tables.models, tables.versions
    others = versions.alias()
    numbers = (
        select(func.aggregate_strings(cast(others.c.version, String), ","))
        .where(
            others.c.tenant_id == models.c.tenant_id,
            others.c.model_id == models.c.model_id,
            others.c.stage != Stage.DELETED.value,
        )
        .scalar_subquery()
    )
    return (
        select(
            models.c.model_id,
            models.c.tenant_id,
            models.c.description,
            models.c.model_type,
            models.c.current_version,
            models.c.production_version,
            models.c.epoch,
            models.c.created_at,
            models.c.updated_at,
            models.c.created_by,
            versions.c.stage,
            versions.c.framework,
            versions.c.metrics,
            versions.c.parameters,
            versions.c.tags,
            versions.c.artifact_uri,
            numbers.label("versions"),
        )
        .join(
            versions,
            (versions.c.tenant_id == models.c.tenant_id)
            & (versions.c.model_id == models.c.model_id)
            & (versions.c.version == models.c.current_version),
        )
        .where(models.c.tenant_id == bindparam("tenant"))
    )


def _promotion() -> Select[Any]:
    models, versions, projections = tables.models, tables.versions, tables.projections
    pending = exists().where(
        projections.c.tenant_id == models.c.tenant_id, projections.c.model_id == models.c.model_id
    )
    return (
        select(models, versions, pending.label("pending"))
        .set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
        .outerjoin_from(
            models,
            versions,
            (versions.c.tenant_id == models.c.tenant_id)
            & (versions.c.model_id == models.c.model_id)
            & versions.c.version.in_([bindparam("version"), models.c.production_version]),
        )
        .where(models.c.tenant_id == bindparam("tenant"), models.c.model_id == bindparam("model"))
    )


# Made once: putting a statement together takes longer than the database takes to answer it.
_MODELS = _metadata()
_MODEL = _MODELS.where(tables.models.c.model_id == bindparam("model"))
_PROMOTION = _promotion()
_OPERATION = select(tables.operations).where(
    tables.operations.c.tenant_id == bindparam("tenant"),
    tables.operations.c.operation_id == bindparam("operation"),
)
_NOT_DELETED = tables.versions.c.stage != Stage.DELETED.value


def _of_model(table: Any, tenant: TenantId, model: ModelId) -> tuple[Any, Any]:
    return table.c.tenant_id == tenant, table.c.model_id == model


def _columns(row: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """The columns of ``table`` in a row whose labels begin with the names of tables."""
    return {column.name: row[f"{table.name}_{column.name}"] for column in table.columns}


def _model(row: Mapping[str, Any]) -> ModelMetadata:
    numbers = sorted(map(int, row["versions"].split(",")))
    fields = {**row, "name": row["model_id"], "stage": Stage(row["stage"])}
    return ModelMetadata(**{**fields, "versions": tuple(numbers)})
