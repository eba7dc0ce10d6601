"""Reads of the ledger. Each is one indexed query and one round trip, whatever the number of
models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    tuple_,
    union,
)

from ...domain.identifiers import ModelId, TenantId
from ...domain.models import ModelMetadata
from ...domain.stages import Stage
from .. import tables
from ..engine import read
from ..mappers import (
    ModelRow,
    PromotionState,
    model_row,
    version_metadata,
)
from .reader import Reader, of_model


class ModelQueries(Reader):
    """Answers from the ledger alone; deleted versions and models without versions are absent."""

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
            select(tables.models).where(*of_model(tables.models, tenant, model))
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
            pending=bool(rows[0]["pending"]),
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
        projections.c.tenant_id == models.c.tenant_id,
        projections.c.model_id == models.c.model_id,
        projections.c.finished_at.is_(None),
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


def _columns(row: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """The columns of ``table`` in a row whose labels begin with the names of tables."""
    return {column.name: row[f"{table.name}_{column.name}"] for column in table.columns}


def _model(row: Mapping[str, Any]) -> ModelMetadata:
    numbers = sorted(map(int, row["versions"].split(",")))
    fields = {**row, "name": row["model_id"], "stage": Stage(row["stage"])}
    return ModelMetadata(**{**fields, "versions": tuple(numbers)})
