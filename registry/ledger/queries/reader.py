"""The base of all readers: two engines, and one statement at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncEngine

from ...domain.identifiers import ModelId, TenantId
from ...domain.stages import Stage
from .. import tables
from ..engine import autocommit, read

NOT_DELETED = tables.versions.c.stage != Stage.DELETED.value


class Reader:
    """Each method of a reader is one indexed query and one round trip."""

    def __init__(self, engine: AsyncEngine, patient: AsyncEngine) -> None:
        """``patient`` is for reads that may take longer than a request."""
        self._engine = autocommit(engine)
        self._patient = autocommit(patient)

    async def _rows(self, query: Select[Any]) -> list[Mapping[str, Any]]:
        return await read(self._engine, query)


def of_model(table: Any, tenant: TenantId, model: ModelId) -> tuple[Any, Any]:
    """The rows of one model."""
    return table.c.tenant_id == tenant, table.c.model_id == model
