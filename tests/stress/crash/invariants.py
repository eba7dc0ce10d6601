"""Invariants of a tenant, whatever has happened: a list of those that are violated."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from model_lifecycle.registry.artifacts.bundle_verification import verify_bundle
from model_lifecycle.registry.domain import artifact_paths
from model_lifecycle.registry.domain.errors import RegistryError
from model_lifecycle.registry.domain.identifiers import TenantId, registered_name
from model_lifecycle.registry.domain.stages import Stage
from model_lifecycle.registry.ledger import tables
from model_lifecycle.registry.ledger.engine import reading
from model_lifecycle.registry.mlflow_adapter import tags
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.services.projection.plan import version_tags


async def broken_for_readers(
    registry: ModelRegistry, tenant_id: str, only: str | None = None
) -> list[str]:
    """States that readers of the ledger may never see, even before a repair; of one model
    only, or of all."""
    tenant = TenantId(tenant_id)
    ledger, artifacts = registry._stores.ledger, registry._stores.artifacts
    problems = []
    for _, model in await ledger.read.model_ids(tenant):
        if only not in (None, model):
            continue
        row = await ledger.read.row(tenant, model)
        assert row is not None
        try:
            await registry.verify_ledger(tenant, model)
        except RegistryError as error:
            problems.append(f"{model}: {error}")
        versions = await ledger.read.versions(tenant, model)
        production = [item.version for item in versions if item.stage is Stage.PRODUCTION]
        if production != ([row.production_version] if row.production_version else []):
            problems.append(f"{model}: in production {production}, shown {row.production_version}")
        history = await registry.history(tenant, model)
        if any(entry.production for entry in history) and not production:
            problems.append(f"{model}: nothing is in production any more")
        for item in versions:
            try:
                digest = item.bundle_digest
                await verify_bundle(artifacts, tenant, model, item.version, digest, every_byte=True)
            except RegistryError as error:
                problems.append(f"{model}: visible without its bundle: {error}")
    return problems


async def broken(registry: ModelRegistry, tenant_id: str, only: str | None = None) -> list[str]:
    """All of it: the ledger sound, MLflow showing the same, nothing left over."""
    tenant = TenantId(tenant_id)
    stores = registry._stores
    problems = await broken_for_readers(registry, tenant_id, only)
    for _, model in await stores.ledger.read.model_ids(tenant):
        if only not in (None, model):
            continue
        name = registered_name(tenant, model)
        row = await stores.ledger.read.row(tenant, model)
        record = await stores.tracking.registered_model(name)
        assert row is not None
        if record is None:
            problems.append(f"{model}: MLflow does not know it")
            continue
        alias = record.aliases.get(tags.PRODUCTION_ALIAS)
        if alias != row.production_version:
            problems.append(f"{model}: alias at {alias}, production is {row.production_version}")
        current = await registry.get_model(tenant, model)
        if current is not None and record.tags.get(tags.MODEL_STAGE) != current.stage:
            problems.append(f"{model}: MLflow says stage {record.tags.get(tags.MODEL_STAGE)}")
        known = {item.version: item for item in await stores.ledger.read.versions(tenant, model)}
        projected = {item.version: item for item in await stores.tracking.model_versions(name)}
        if set(known) != set(projected):
            problems.append(f"{model}: versions {sorted(known)}, in MLflow {sorted(projected)}")
        for number in set(known) & set(projected):
            wrong = version_tags(known[number]).items() - projected[number].tags.items()
            if wrong:
                problems.append(f"{model}: version {number} lacks the tags {sorted(wrong)}")
        # A change whose request to MLflow got no answer is looked at again when it is settled.
        now = stores.ledger.clock()
        notes = [
            note
            for note in await stores.ledger.read.projections(tenant, model)
            if note["settles_at"] is None or note["settles_at"] <= now
        ]
        if notes:
            problems.append(f"{model}: notes {notes} remain")
    return problems if only else problems + await _orphans(registry, tenant)


async def _orphans(registry: ModelRegistry, tenant: TenantId) -> list[str]:
    """Bundles and MLflow versions of which the ledger knows nothing."""
    stores = registry._stores
    known = set()
    for _, model in await stores.ledger.read.model_ids(tenant):
        for item in await stores.ledger.read.versions(tenant, model):
            known.add(artifact_paths.bundle(tenant, model, item.version))
    problems = []
    for file in await stores.artifacts.files(f"{tenant}/models"):
        if not any(file.path.startswith(f"{folder}/") for folder in known):
            problems.append(f"{file.path} belongs to no version")
    names = {
        registered_name(tenant, model) for _, model in await stores.ledger.read.model_ids(tenant)
    }
    for record in await stores.tracking.registered_models(tenant):
        if record.name not in names and await stores.tracking.model_versions(record.name):
            problems.append(f"{record.name} has versions in MLflow only")
    return problems


async def picture(registry: ModelRegistry, tenant_id: str) -> Any:
    """Everything that a second ``reconcile`` must leave as it is."""
    tenant = TenantId(tenant_id)
    stores = registry._stores
    state: dict[str, Any] = {}
    async with reading(stores.ledger._engine) as connection:
        for table in tables.metadata.sorted_tables:
            # When a head was anchored last says nothing about the model; the files show the head.
            if "tenant_id" not in table.c or table is tables.anchored_heads:
                continue
            rows = await connection.execute(
                select(table).where(table.c.tenant_id == tenant).order_by(*table.primary_key)
            )
            state[table.name] = [str(dict(row)) for row in rows.mappings()]
    for record in await stores.tracking.registered_models(tenant):
        versions = await stores.tracking.model_versions(record.name)
        state[record.name] = [str(record), *map(str, versions)]
    state["files"] = [str(file) for file in await stores.artifacts.files(tenant)]
    return state
