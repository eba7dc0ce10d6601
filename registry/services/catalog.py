"""Reads: models, versions, history, and what was in production when. All from the ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from ..domain import identifiers
from ..domain.errors import InvalidInput, ModelNotFound, VersionNotFound
from ..domain.evidence import Evidence
from ..domain.identifiers import ModelId, TenantId
from ..domain.ledger_head import AnchorStatus
from ..domain.models import Framework, LedgerEntry, ModelMetadata, VersionMetadata
from ..domain.stages import Stage, parse_stage
from ..ledger.verify import verify_model
from .anchors import Anchors
from .backends import Backends
from .idempotency import restore_response

#: Models named in one query: two parameters each, of 32 766 that SQLite and PostgreSQL take.
_AT_ONCE = 10_000


class Catalog:
    def __init__(self, stores: Backends) -> None:
        self._read = stores.ledger.read
        self._ledger = stores.ledger
        self._anchors = Anchors(stores)

    async def get_model(self, tenant_id: str, model_id: str) -> ModelMetadata | None:
        return await self._read.model(
            identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        )

    async def list_models(
        self,
        tenant_id: str,
        stage: Stage | str | None = None,
        framework: Framework | str | None = None,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> list[ModelMetadata]:
        tenant = identifiers.tenant_id(tenant_id)
        _check_limit(limit)
        if framework is not None and framework not in tuple(Framework):
            raise InvalidInput(
                f"framework {framework!r:.80} is not valid: use one of {', '.join(Framework)}",
                field="framework",
            )
        return await self._read.models(
            tenant,
            stage=None if stage is None else parse_stage(stage),
            framework=framework,
            limit=limit,
            after=None if after is None else identifiers.model_id(after),
        )

    async def recorded_models(self, tenant_id: str | None = None) -> list[tuple[str, str]]:
        tenant = None if tenant_id is None else identifiers.tenant_id(tenant_id)
        return list(await self._read.recorded_models(tenant))

    async def get_version(
        self, tenant_id: str, model_id: str, version: int | str
    ) -> VersionMetadata | None:
        return await self._read.version(
            identifiers.tenant_id(tenant_id),
            identifiers.model_id(model_id),
            identifiers.version_number(version),
        )

    async def list_versions(
        self, tenant_id: str, model_id: str, *, after: int = 0, limit: int | None = None
    ) -> list[VersionMetadata]:
        _check_page(after, limit)
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        versions = await self._read.versions(tenant, model, after=after, limit=limit)
        if not versions and await self._read.model(tenant, model) is None:
            raise ModelNotFound(model)
        return versions

    async def epochs(self, models: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
        epochs: dict[tuple[str, str], int] = {}
        for part in _parts(models):
            for key, epoch in (await self._read.epochs(part)).items():
                epochs[key] = epoch
        return epochs

    async def versions_of(
        self, models: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], list[VersionMetadata]]:
        versions: dict[tuple[str, str], list[VersionMetadata]] = {}
        for part in _parts(models):
            for item in await self._read.versions_of(part):
                versions.setdefault((item.tenant_id, item.model_id), []).append(item)
        return versions

    async def list_evidence(
        self,
        tenant_id: str,
        model_id: str,
        version: int | str,
        *,
        after: tuple[datetime, str] | None = None,
        limit: int | None = None,
    ) -> list[Evidence]:
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        number = identifiers.version_number(version)
        if await self._read.version(tenant, model, number) is None:
            raise VersionNotFound(model, number)
        return await self._read.evidence(tenant, model, number, after=after, limit=limit)

    async def list_model_evidence(self, tenant_id: str, model_id: str) -> list[Evidence]:
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        evidence = await self._read.model_evidence(tenant, model)
        if not evidence:
            await self._check_known(tenant, model)
        return evidence

    async def history(
        self, tenant_id: str, model_id: str, *, after: int = 0, limit: int | None = None
    ) -> list[LedgerEntry]:
        _check_page(after, limit)
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        entries = await self._read.entries(tenant, model, after=after, limit=limit)
        if not entries:
            await self._check_known(tenant, model)
        return entries

    async def production_at(self, tenant_id: str, model_id: str, when: datetime) -> int | None:
        if not isinstance(when, datetime) or when.tzinfo is None:
            raise InvalidInput(
                "when must be a timestamp with its time zone, such as 2026-03-01T12:00:00Z",
                field="when",
            )
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        entry = await self._read.entry_at(tenant, model, when)
        if entry is None:
            await self._check_known(tenant, model)
            return None
        return entry.production

    async def verify_ledger(self, tenant_id: str, model_id: str) -> int:
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        # Read before the ledger: what was anchored by then has to be in it.
        heads = await self._anchors.heads(tenant, model)
        return await verify_model(self._ledger, tenant, model, heads)

    async def anchor_status(self, tenant_id: str, model_id: str) -> AnchorStatus:
        return await self._anchors.status(
            identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        )

    async def find_operation(self, tenant_id: str, operation_id: str) -> ModelMetadata | None:
        tenant = identifiers.tenant_id(tenant_id)
        operation = await self._read.operation(tenant, identifiers.operation_id(operation_id))
        if operation is None or operation.answer is None or "model" not in operation.answer:
            return None
        return await restore_response(self._ledger, tenant, operation.answer, operation_id)

    async def _check_known(self, tenant: TenantId, model: ModelId) -> None:
        """Raise ModelNotFound unless the ledger knows the model; a deleted one it does."""
        if await self._read.row(tenant, model) is None:
            raise ModelNotFound(model)


def _parts(models: Collection[tuple[str, str]]) -> Iterator[list[tuple[TenantId, ModelId]]]:
    """The names checked, in parts that a database takes in one query."""
    named = sorted(
        {(identifiers.tenant_id(tenant), identifiers.model_id(model)) for tenant, model in models}
    )
    for start in range(0, len(named), _AT_ONCE):
        yield named[start : start + _AT_ONCE]


def _check_page(after: Any, limit: Any) -> None:
    _check_number(after, "after", 0, 2**53)
    _check_limit(limit)


def _check_limit(limit: Any) -> None:
    if limit is not None:
        _check_number(limit, "limit", 1, 2**53)


def _check_number(value: Any, name: str, lowest: int, highest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise InvalidInput(f"{name} must be a number from {lowest} to {highest}", field=name)
