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
        """The model with its current version; None if the tenant has no such model."""
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
        """The tenant's models by name, filtered by stage and framework of their current version.

        All of them; or, for one page, at most ``limit`` that follow the name ``after``.
        """
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
        """Every ``(tenant_id, model_id)`` that the ledger has a record of, deleted models included,
        of one tenant or of all: the models that :meth:`verify_ledger` can check. For operators of
        the platform, as reading all tenants crosses their borders."""
        tenant = None if tenant_id is None else identifiers.tenant_id(tenant_id)
        return list(await self._read.recorded_models(tenant))

    async def get_version(
        self, tenant_id: str, model_id: str, version: int | str
    ) -> VersionMetadata | None:
        """One version; None if it does not exist or was deleted."""
        return await self._read.version(
            identifiers.tenant_id(tenant_id),
            identifiers.model_id(model_id),
            identifiers.version_number(version),
        )

    async def list_versions(
        self, tenant_id: str, model_id: str, *, after: int = 0, limit: int | None = None
    ) -> list[VersionMetadata]:
        """The model's versions above ``after``, ascending. Raises ModelNotFound."""
        _check_page(after, limit)
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        versions = await self._read.versions(tenant, model, after=after, limit=limit)
        if not versions and await self._read.model(tenant, model) is None:
            raise ModelNotFound(model)
        return versions

    async def epochs(self, models: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """How many entries the ledger has of each ``(tenant_id, model_id)``: a number that has not
        grown says that nothing has changed. One query for up to 10 000 models; a model that does
        not exist is absent."""
        epochs: dict[tuple[str, str], int] = {}
        for part in _parts(models):
            for key, epoch in (await self._read.epochs(part)).items():
                epochs[key] = epoch
        return epochs

    async def versions_of(
        self, models: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], list[VersionMetadata]]:
        """The versions, ascending, of each ``(tenant_id, model_id)``; absent where there are none.
        One query for up to 10 000 models."""
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
        """The evidence about the version, oldest first: at most ``limit`` after the time and
        the id of ``after``; all without. Raises VersionNotFound."""
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        number = identifiers.version_number(version)
        if await self._read.version(tenant, model, number) is None:
            raise VersionNotFound(model, number)
        return await self._read.evidence(tenant, model, number, after=after, limit=limit)

    async def list_model_evidence(self, tenant_id: str, model_id: str) -> list[Evidence]:
        """The evidence about every version of the model, deleted ones included, oldest first.
        Raises ModelNotFound."""
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        evidence = await self._read.model_evidence(tenant, model)
        if not evidence:
            await self._check_known(tenant, model)
        return evidence

    async def history(
        self, tenant_id: str, model_id: str, *, after: int = 0, limit: int | None = None
    ) -> list[LedgerEntry]:
        """The model's entries after sequence ``after``, oldest first, also of a deleted model."""
        _check_page(after, limit)
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        entries = await self._read.entries(tenant, model, after=after, limit=limit)
        if not entries:
            await self._check_known(tenant, model)
        return entries

    async def production_at(self, tenant_id: str, model_id: str, when: datetime) -> int | None:
        """The production version at that instant; None if there was none."""
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
        """Number of entries of an intact ledger, compared with its heads in the artifact store and
        in MLflow. LedgerCorrupt names the first entry that is not intact; its subclasses
        LedgerTruncated and LedgerForked, a ledger that was cut or is an older backup. A store that
        does not answer is left out (:meth:`anchor_status` names it); BackendUnavailable if neither
        does."""
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        # Read before the ledger: what was anchored by then has to be in it.
        heads = await self._anchors.heads(tenant, model)
        evidence = await self._anchors.evidence_heads(tenant, model)
        return await verify_model(self._ledger, tenant, model, heads, evidence)

    async def anchor_status(self, tenant_id: str, model_id: str) -> AnchorStatus:
        """How far the model's ledger is anchored in the artifact store and in MLflow. Raises
        ModelNotFound."""
        return await self._anchors.status(
            identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        )

    async def find_operation(self, tenant_id: str, operation_id: str) -> ModelMetadata | None:
        """The model that an operation returned when it committed; None if it has not."""
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
