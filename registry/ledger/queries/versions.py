"""Reads of versions and of what gates recorded about them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import (
    func,
    select,
    true,
    tuple_,
)

from ...domain.evidence import Evidence
from ...domain.identifiers import ModelId, TenantId
from ...domain.models import VersionMetadata
from ...domain.stages import Stage
from .. import tables
from ..mappers import (
    evidence_item,
    version_metadata,
)
from .reader import NOT_DELETED, Reader, of_model


class VersionQueries(Reader):
    """Reads of versions and of what gates recorded about them."""

    async def versions_of(
        self, models: Iterable[tuple[TenantId, ModelId]]
    ) -> list[VersionMetadata]:
        """The versions of these models, by model, in one query; deleted ones are absent."""
        versions = tables.versions
        columns = (versions.c.tenant_id, versions.c.model_id)
        rows = await self._rows(
            select(versions)
            .where(tuple_(*columns).in_(list(models)), NOT_DELETED)
            .order_by(*columns, versions.c.version)
        )
        return [version_metadata(row) for row in rows]

    async def version(
        self, tenant: TenantId, model: ModelId, version: int
    ) -> VersionMetadata | None:
        rows = await self._rows(
            select(tables.versions).where(
                *of_model(tables.versions, tenant, model),
                tables.versions.c.version == version,
                NOT_DELETED,
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
            .where(*of_model(versions, tenant, model), true() if deleted else NOT_DELETED)
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
                *of_model(tables.versions, tenant, model), tables.versions.c.stage == stage.value
            )
            .order_by(tables.versions.c.version.desc())
            .limit(1)
        )
        return version_metadata(rows[0]) if rows else None

    async def any_version(self) -> VersionMetadata | None:
        """Some version of some tenant: what all have in common can be read from it. None in a
        ledger that has none."""
        rows = await self._rows(select(tables.versions).where(NOT_DELETED).limit(1))
        return version_metadata(rows[0]) if rows else None

    async def highest_version(self, tenant: TenantId, model: ModelId) -> int:
        """The highest number that a version of the model ever had; 0 if there is none."""
        versions = tables.versions
        rows = await self._rows(
            select(func.max(versions.c.version).label("highest")).where(
                *of_model(versions, tenant, model)
            )
        )
        return rows[0]["highest"] or 0

    async def versions_by_number(
        self, tenant: TenantId, model: ModelId, numbers: Iterable[int]
    ) -> list[VersionMetadata]:
        """These versions as the ledger has them, also those that were deleted."""
        rows = await self._rows(
            select(tables.versions).where(
                *of_model(tables.versions, tenant, model),
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
            .where(*of_model(evidence, tenant, model), evidence.c.version == version)
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
                *of_model(evidence, tenant, model),
                evidence.c.version == version,
                evidence.c.evidence_id == evidence_id,
            )
        )
        return evidence_item(rows[0]) if rows else None

    async def evidence_hashes(
        self, tenant: TenantId, model: ModelId, positions: Iterable[int]
    ) -> dict[int, str]:
        """The hashes of the model's evidence at these positions of its chain; absent: there is
        none."""
        evidence = tables.evidence
        rows = await self._rows(
            select(evidence.c.chain_position, evidence.c.chain_hash).where(
                *of_model(evidence, tenant, model),
                evidence.c.chain_position.in_(sorted(positions)),
            )
        )
        return {row["chain_position"]: row["chain_hash"] for row in rows}

    async def model_evidence(self, tenant: TenantId, model: ModelId) -> list[Evidence]:
        """Evidence of all versions of the model, deleted ones included, oldest first."""
        rows = await self._rows(
            select(tables.evidence)
            .where(*of_model(tables.evidence, tenant, model))
            .order_by(tables.evidence.c.recorded_at)
        )
        return [evidence_item(row) for row in rows]
