"""Compares MLflow with the ledger, heals what differs, and tells what it saw, in words.

The ledger is right, except about versions it has never heard of: those are adopted. Running it
twice changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from ..ledger.rows import ModelRow
from ..rules import paths, tenancy
from ..rules.metadata import Finding, VersionMetadata
from ..rules.stages import Stage
from ..rules.tenancy import ModelId, TenantId, registered_name, split_registered_name
from ..tracking import tags
from ..tracking.records import ModelVersionRecord, RegisteredModelRecord
from .adoption import Adoption
from .projection import Projection, model_tags, version_tags
from .stores import Stores

#: A registration that has left nothing in MLflow for this long is not going on any more.
ABANDONED = timedelta(hours=1)


class Reconcile:
    def __init__(self, stores: Stores, projection: Projection, adoption: Adoption) -> None:
        self._stores = stores
        self._projection = projection
        self._adoption = adoption

    async def reconcile(self, tenant_id: str | None = None) -> list[Finding]:
        tenant = None if tenant_id is None else tenancy.tenant_id(tenant_id)
        in_mlflow: dict[tuple[TenantId, ModelId], RegisteredModelRecord] = {}
        for record in await self._stores.tracking.registered_models(tenant):
            key = split_registered_name(record.name)
            if key is not None:
                in_mlflow[key] = record
        in_ledger = await self._stores.ledger.read.model_ids(tenant)
        findings: list[Finding] = []
        for key in sorted({*in_mlflow, *in_ledger}):
            findings += await self._model(*key, in_mlflow.get(key))
        return findings

    async def _model(
        self, tenant: TenantId, model: ModelId, record: RegisteredModelRecord | None
    ) -> list[Finding]:
        findings = [
            Finding(
                model,
                "projection_finished",
                f"MLflow had not followed a change of version {version}; it shows it now",
                healed=True,
                version=version,
            )
            for version in await self._projection.repair(tenant, model)
        ]
        row = await self._stores.ledger.read.row(tenant, model)
        known = await self._versions(tenant, model)
        shown = {
            item.version: item
            for item in await self._stores.tracking.model_versions(registered_name(tenant, model))
        }
        for number in sorted(set(shown) - set(known)):
            findings.append(await self._adoption.adopt(tenant, model, shown[number]))
        if row is None:
            return findings
        if findings:
            # What was done above shows in MLflow now: it is no drift.
            record = await self._stores.tracking.registered_model(registered_name(tenant, model))
        findings += self._lost(model, row, known, shown)
        drifted = self._drifted(model, row, known, shown, record)
        drifted += await self._model_tags_edited(tenant, model, record)
        if drifted:
            alive = [number for number in known if number in shown]
            await self._projection.show(tenant, model, alive, [])
        findings += drifted
        findings += await self._leftovers(tenant, model, known)
        return findings

    async def _versions(self, tenant: TenantId, model: ModelId) -> dict[int, VersionMetadata]:
        entries = await self._stores.ledger.read.entries(tenant, model)
        numbers = {move.version for entry in entries for move in entry.moves}
        found = await self._stores.ledger.read.versions_by_number(tenant, model, numbers)
        return {item.version: item for item in found}

    def _lost(
        self,
        model: ModelId,
        row: ModelRow,
        known: Mapping[int, VersionMetadata],
        shown: Mapping[int, ModelVersionRecord],
    ) -> list[Finding]:
        """Versions that somebody deleted in MLflow. They cannot be brought back under their
        number, so this is damage: told every time, never hidden."""
        return [
            Finding(
                model,
                "production_deleted_in_mlflow"
                if number == row.production_version
                else "deleted_in_mlflow",
                f"version {number} ({item.stage}) was deleted in MLflow; its bundle at "
                f"{item.artifact_uri} and its history are untouched",
                healed=False,
                version=number,
            )
            for number, item in sorted(known.items())
            if item.stage is not Stage.DELETED and number not in shown
        ]

    def _drifted(
        self,
        model: ModelId,
        row: ModelRow,
        known: Mapping[int, VersionMetadata],
        shown: Mapping[int, ModelVersionRecord],
        record: RegisteredModelRecord | None,
    ) -> list[Finding]:
        findings = []
        alias = record.aliases.get(tags.PRODUCTION_ALIAS) if record else None
        production = row.production_version if row.production_version in shown else None
        if alias != production:
            findings.append(
                Finding(
                    model,
                    "alias_moved",
                    f"the alias '{tags.PRODUCTION_ALIAS}' pointed to {_version(alias)}; "
                    f"it points to {_version(production)} again",
                    healed=True,
                    version=production,
                )
            )
        for number, item in sorted(known.items()):
            if number not in shown:
                continue
            if item.stage is Stage.DELETED:
                message = f"deleted version {number} was still in MLflow; it is gone now"
                findings.append(Finding(model, "not_deleted", message, True, number))
                continue
            wrong = [
                key
                for key, value in version_tags(item).items()
                if shown[number].tags.get(key) != value
            ]
            if wrong:
                message = f"tags {', '.join(wrong)} of version {number} were edited; restored"
                findings.append(Finding(model, "tags_edited", message, True, number))
        return findings

    async def _model_tags_edited(
        self, tenant: TenantId, model: ModelId, record: RegisteredModelRecord | None
    ) -> list[Finding]:
        current = await self._stores.ledger.read.model(tenant, model)
        if record is None or current is None:
            return []
        expected = model_tags(current)
        wrong = [key for key, value in expected.items() if record.tags.get(key) != value]
        if not wrong:
            return []
        message = f"tags {', '.join(wrong)} of the registered model were edited; restored"
        return [Finding(model, "tags_edited", message, healed=True)]

    async def _leftovers(
        self, tenant: TenantId, model: ModelId, known: Mapping[int, VersionMetadata]
    ) -> list[Finding]:
        """Files of deleted versions, and operations that nobody is going to finish."""
        findings = []
        for number, item in sorted(known.items()):
            folder = paths.bundle(tenant, model, number)
            if item.stage is Stage.DELETED and await self._stores.artifacts.files(folder):
                await self._stores.artifacts.delete_folder(folder)
                message = f"files of deleted version {number} remained; they are gone now"
                findings.append(Finding(model, "files_left", message, True, number))
        now = self._stores.ledger.clock()
        for operation in await self._stores.ledger.read.pending_operations(tenant, model):
            if now - operation.started_at > ABANDONED:
                await self._stores.ledger.abandon_operation(tenant, operation.operation_id)
                message = f"operation {operation.operation_id} never took effect; forgotten"
                findings.append(Finding(model, "operation_abandoned", message, True))
        return findings


def _version(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
