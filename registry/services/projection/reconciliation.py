"""Compares MLflow with the ledger, heals what differs, and tells what it saw, in words.

The ledger is right, except about versions it has never heard of: those are adopted. Running it
twice changes nothing the second time.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from ...domain import artifact_paths, identifiers
from ...domain.authorization import Principal
from ...domain.errors import BundleCorrupt
from ...domain.identifiers import ModelId, TenantId, registered_name, split_registered_name
from ...domain.ledger_head import ABANDONED, ABANDONED_EVIDENCE, LedgerHead, contradiction
from ...domain.models import EntryKind, Finding, VersionMetadata
from ...domain.stages import Stage
from ...mlflow_adapter.records import ModelVersionRecord, RegisteredModelRecord
from ..anchors import Anchors
from ..backends import Backends
from ..version_files import VersionFiles
from .adoption import Adoption
from .drift import ModelComparison, differences
from .identity import mismatch
from .projection import Projection

#: A registration that has left nothing in MLflow for this long is not going on any more.
ABANDONED_AFTER = timedelta(hours=1)


class Reconcile:
    def __init__(
        self,
        stores: Backends,
        projection: Projection,
        adoption: Adoption,
        files: VersionFiles,
        anchors: Anchors,
    ) -> None:
        self._stores = stores
        self._anchors = anchors
        self._files = files
        self._projection = projection
        self._adoption = adoption

    async def reconcile(
        self, tenant_id: str | None = None, accepted_by: Principal | None = None
    ) -> list[Finding]:
        """``accepted_by`` is the person who accepts a ledger that is older than its anchored
        heads; without one, such a model is left as it is."""
        tenant = None if tenant_id is None else identifiers.tenant_id(tenant_id)
        in_mlflow: dict[tuple[TenantId, ModelId], RegisteredModelRecord] = {}
        for record in await self._stores.tracking.registered_models(tenant):
            key = split_registered_name(record.name)
            if key is not None:
                in_mlflow[key] = record
        read = self._stores.ledger.read
        in_ledger = {*await read.model_ids(tenant), *await read.begun_models(tenant)}
        findings: list[Finding] = []
        for key in sorted({*in_mlflow, *in_ledger}):
            model_findings = await self._model(*key, in_mlflow.get(key), accepted_by)
            findings += [replace(finding, tenant_id=key[0]) for finding in model_findings]
        return findings

    async def _model(
        self,
        tenant: TenantId,
        model: ModelId,
        record: RegisteredModelRecord | None,
        accepted_by: Principal | None,
    ) -> list[Finding]:
        row = await self._stores.ledger.read.row(tenant, model)
        lost = await self._anchors.lost_heads(tenant, model, row, record)
        if lost and accepted_by is None:
            error = contradiction(model, row.epoch if row else 0, lost[-1])
            message = f"{error}. Nothing of this model was changed"
            return [Finding(model, error.code, message, healed=False)]
        findings = []
        if lost and accepted_by is not None and row is not None:
            findings.append(await self._accept(tenant, model, lost, accepted_by))
        findings += [
            Finding(
                model,
                "projection_finished",
                f"MLflow had not followed a change of version {version}; it shows it now",
                healed=True,
                version=version,
            )
            for version in await self._projection.apply_pending(tenant, model)
        ]
        known, mlflow_versions = (
            await self._known(tenant, model),
            await self._mlflow_versions(tenant, model),
        )
        for number in sorted(set(mlflow_versions) - set(known)):
            findings += await self._adoption.adopt(
                tenant, model, mlflow_versions[number], mlflow_versions
            )
        if lost and accepted_by is not None and row is None and mlflow_versions:
            findings.append(await self._accept(tenant, model, lost, accepted_by))
        if await self._look(tenant, model, record, mlflow_versions):
            drifted = await self._look_again(tenant, model)
            wrong = [item for item in drifted if item.healed]
            if wrong:
                numbers = {item.version for item in wrong if item.version is not None}
                await self._projection.write_until_current(tenant, model, numbers, [])
            findings += drifted
        findings += await self._files_of_production(tenant, model)
        findings += await self._leftovers(tenant, model)
        return findings

    async def _accept(
        self,
        tenant: TenantId,
        model: ModelId,
        lost: Sequence[LedgerHead],
        accepted_by: Principal,
    ) -> Finding:
        """Record that the ledger goes on without the entries of the ``lost`` heads."""
        evidence = await self._anchors.lost_evidence(tenant, model)
        async with self._stores.ledger.begin(tenant, model) as work:
            epoch = work.model.epoch
            await work.append(
                EntryKind.LEDGER_RESTORED,
                actor=str(accepted_by),
                reason="the ledger was restored from a backup",
                operation_id=str(uuid.uuid4()),
                detail={
                    ABANDONED: [str(head) for head in lost],
                    ABANDONED_EVIDENCE: [str(head) for head in evidence],
                },
            )
        message = (
            f"the ledger ended at entry {epoch}, but entry {lost[-1].epoch} had been anchored; "
            f"{accepted_by} accepted the restored ledger"
        )
        return Finding(model, "ledger_restored", message, healed=True)

    async def _files_of_production(self, tenant: TenantId, model: ModelId) -> list[Finding]:
        """Whether production serves what was proved: the other versions' files are compared when
        they are promoted, loaded or verified."""
        version = await self._stores.ledger.read.newest(tenant, model, Stage.PRODUCTION)
        if version is None:
            return []
        try:
            await self._files.verify(version)
        except BundleCorrupt as error:
            return [Finding(model, "files_differ", str(error), False, version.version)]
        return []

    async def _look(
        self,
        tenant: TenantId,
        model: ModelId,
        record: RegisteredModelRecord | None,
        in_mlflow: Mapping[int, ModelVersionRecord],
    ) -> list[Finding]:
        row = await self._stores.ledger.read.row(tenant, model)
        if row is None:
            return []
        known = await self._known(tenant, model)
        compared = {
            number: mismatch(known[number], item, self._stores.artifacts)
            for number, item in in_mlflow.items()
            if number in known
        }
        replaced = {number: problem for number, problem in compared.items() if problem}
        return differences(ModelComparison(model, row, known, record, in_mlflow, replaced))

    async def _look_again(self, tenant: TenantId, model: ModelId) -> list[Finding]:
        """The differences that remain in a fresh comparison, while nobody changes the model.

        A model that is being changed is left to its writer: a difference is no drift then, and an
        unfinished change leaves an outbox row.
        """
        read = self._stores.ledger.read
        before = await read.row(tenant, model)
        record = await self._stores.tracking.registered_model(registered_name(tenant, model))
        findings = await self._look(
            tenant, model, record, await self._mlflow_versions(tenant, model)
        )
        after = await read.row(tenant, model)
        moved = before is None or after is None or before.epoch != after.epoch
        return [] if moved or await read.projections(tenant, model) else findings

    async def _known(self, tenant: TenantId, model: ModelId) -> dict[int, VersionMetadata]:
        versions = await self._stores.ledger.read.versions(tenant, model, deleted=True)
        return {item.version: item for item in versions}

    async def _mlflow_versions(
        self, tenant: TenantId, model: ModelId
    ) -> dict[int, ModelVersionRecord]:
        records = await self._stores.tracking.model_versions(registered_name(tenant, model))
        return {item.version: item for item in records}

    async def _leftovers(self, tenant: TenantId, model: ModelId) -> list[Finding]:
        """Files of deleted versions, and operations that nobody is going to finish."""
        findings = []
        known = await self._known(tenant, model)
        for number, item in sorted(known.items()):
            folder = artifact_paths.bundle(tenant, model, number)
            if item.stage is Stage.DELETED and await self._stores.artifacts.files(folder):
                await self._stores.artifacts.delete_folder(folder)
                message = f"files of deleted version {number} remained; they are gone now"
                findings.append(Finding(model, "files_left", message, True, number))
        now = self._stores.ledger.clock()
        for operation in await self._stores.ledger.read.pending_operations(tenant, model):
            if now - operation.started_at > ABANDONED_AFTER:
                await self._stores.ledger.abandon_operation(tenant, operation.operation_id)
                message = f"operation {operation.operation_id} never took effect; forgotten"
                findings.append(Finding(model, "operation_abandoned", message, True))
        return findings
