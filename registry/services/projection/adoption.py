"""Takes into the ledger what MLflow has and the ledger does not: registrations that were
interrupted, versions that somebody registered in MLflow by hand, and those that came after the
backup from which the ledger was restored."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...artifacts.bundle import stored_bundle
from ...domain import artifact_paths
from ...domain.authorization import Principal
from ...domain.commands import AdoptVersion
from ...domain.errors import BackendUnavailable, NotFound, RegistryError
from ...domain.identifiers import ModelId, TenantId
from ...domain.models import EntryKind, Finding, ModelType, timestamp
from ...domain.reserved_tags import is_reserved
from ...domain.validation import MAX_TEXT
from ...frameworks import framework_of
from ...ledger.mappers import Operation
from ...mlflow_adapter import tags
from ...mlflow_adapter.records import ModelVersionRecord
from ..backends import Backends
from ..idempotency import IdempotentRequest, idempotent_request
from ..registration.mlflow_versions import MlflowVersions
from ..registration.model_sources import Sources
from ..registration.plan import RegistrationPlan, version_plan
from ..registration.registration import complete_plan
from ..registration.version_creation import VersionCreation
from .identity import bundle_number, is_own_bundle

ADOPTER = "reconcile"


class Adoption:
    def __init__(self, stores: Backends, sources: Sources, publishing: VersionCreation) -> None:
        self._stores = stores
        self._sources = sources
        self._publishing = publishing
        self._mlflow_versions = MlflowVersions(stores)

    async def adopt(
        self,
        tenant: TenantId,
        model: ModelId,
        version: ModelVersionRecord,
        in_mlflow: Mapping[int, ModelVersionRecord],
    ) -> list[Finding]:
        """Enter the version as development, unless that has happened meanwhile. A version that
        cannot be adopted is a finding and stays as it is. ``in_mlflow`` are all versions of the
        model in MLflow."""
        operation = await self._operation(tenant, model, version)
        if await self._stores.ledger.read.versions_by_number(tenant, model, [version.version]):
            return []
        if operation is not None and self._is_duplicate(operation, tenant, version, in_mlflow):
            await self._publishing.discard(tenant, model, version.version)
            message = (
                f"version {version.version} was a second one of the same registration, "
                "sent once more or late; it was removed"
            )
            return [Finding(model, "duplicate_removed", message, True, version.version)]
        interrupted = None
        if operation is not None and await self._left(operation, tenant, model, version):
            interrupted = operation
        return await self._adopted(tenant, model, version, interrupted)

    async def _adopted(
        self,
        tenant: TenantId,
        model: ModelId,
        version: ModelVersionRecord,
        interrupted: Operation | None,
    ) -> list[Finding]:
        number = version.version
        try:
            plan = await self._enter(tenant, model, version, interrupted)
        except BackendUnavailable:
            raise
        except RegistryError as error:
            message = f"version {number} exists in MLflow only, and cannot be adopted: {error}"
            return [Finding(model, "cannot_adopt", message, False, number)]
        if interrupted is not None:
            message = f"the interrupted registration of version {number} was finished"
            findings = [Finding(model, "registration_finished", message, True, number)]
        else:
            message = (
                f"version {number} was known to MLflow alone: registered there by hand, or "
                "after the backup that the ledger was restored from; it was adopted as development"
            )
            findings = [Finding(model, "adopted", message, True, number)]
        if plan.omitted_metrics:
            named = ", ".join(f"{name} ({value})" for name, value in plan.omitted_metrics.items())
            message = (
                f"version {number} was registered without metrics of its run that are no finite "
                f"number: {named}; log them to the run again and register it anew if you need them"
            )
            findings.append(Finding(model, "metrics_omitted", message, True, number))
        return findings

    async def _operation(
        self, tenant: TenantId, model: ModelId, version: ModelVersionRecord
    ) -> Operation | None:
        """The operation on the model whose id the version carries as a tag; anybody can set it."""
        operation_id = version.tags.get(tags.OPERATION_ID)
        if operation_id is None:
            return None
        operation = await self._stores.ledger.read.operation(tenant, operation_id)
        return operation if operation is not None and operation.model_id == model else None

    async def _left(
        self, operation: Operation, tenant: TenantId, model: ModelId, version: ModelVersionRecord
    ) -> bool:
        """Whether the operation is unfinished, and made the version: from the run and the files
        that its own plan recorded."""
        if operation.answer is not None or not operation.plan or not operation.plan.get("origin"):
            return False
        try:
            source = await self._sources.of_origin(tenant, operation.plan["origin"])
        except NotFound:
            return False
        return self._mlflow_versions.is_own(tenant, model, version, source)

    def _is_duplicate(
        self,
        operation: Operation,
        tenant: TenantId,
        version: ModelVersionRecord,
        in_mlflow: Mapping[int, ModelVersionRecord],
    ) -> bool:
        """Whether the version is one too many of the operation: made for another number than
        MLflow then gave, or beside the one with which the operation has committed.

        A version that somebody copied in MLflow has the tags of the first, but not its source.
        """
        artifacts = self._stores.artifacts
        number = bundle_number(tenant, version, artifacts)
        if number is not None and number != version.version:
            return True
        if operation.answer is None:
            return False
        first = in_mlflow.get(operation.answer.get("version", 0))
        if first is None or first.version == version.version:
            return False
        if number is not None:
            return is_own_bundle(tenant, first, artifacts)
        return first.source == version.source

    async def _enter(
        self,
        tenant: TenantId,
        model: ModelId,
        version: ModelVersionRecord,
        interrupted: Operation | None,
    ) -> RegistrationPlan:
        source = await (
            self._sources.of_origin(tenant, interrupted.plan["origin"])
            if interrupted is not None and interrupted.plan is not None
            else self._sources.of_version(tenant, version)
        )
        with tempfile.TemporaryDirectory(prefix="model-lifecycle-") as scratch:
            folder = Path(scratch) / "model"
            await self._stores.artifacts.get_folder(source.path, folder)
            if source.path == artifact_paths.bundle(tenant, model, version.version):
                (folder / artifact_paths.MANIFEST).unlink(missing_ok=True)
            if interrupted is not None and interrupted.plan is not None:
                plan = RegistrationPlan.from_document(interrupted.plan)
                request = IdempotentRequest(
                    interrupted.operation_id, interrupted.request, named=True
                )
            else:
                plan = await self._plan(tenant, model, version, source.logged, folder)
                plan = await asyncio.to_thread(complete_plan, plan, source, folder)
                request = idempotent_request(
                    f"{ADOPTER}/{model}/{version.version}",
                    AdoptVersion(
                        actor=Principal(ADOPTER),
                        tenant_id=tenant,
                        model_id=model,
                        version=version.version,
                    ),
                )
            saved = await asyncio.to_thread(self._publishing.check, plan, folder)
            bundle = None
            if interrupted is None:
                # Of a ledger restored from a backup: the bundle was made with what it then knew.
                bundle = await stored_bundle(
                    self._stores.artifacts,
                    tenant,
                    model,
                    version.version,
                    framework=plan.framework,
                    saved_folder=folder,
                )
            bundle = bundle or await self._publishing.bundle(
                tenant, model, version.version, plan, source, saved, folder
            )
        await self._publishing.commit(
            tenant,
            model,
            version.version,
            plan,
            source,
            saved,
            bundle,
            request,
            kind=EntryKind.REGISTERED if interrupted else EntryKind.ADOPTED,
            actor=None if interrupted else ADOPTER,
            reason="" if interrupted else "known to MLflow, and not to the ledger",
        )
        return plan

    async def _plan(
        self,
        tenant: TenantId,
        model: ModelId,
        version: ModelVersionRecord,
        logged: Any,
        folder: Path,
    ) -> RegistrationPlan:
        row = await self._stores.ledger.read.row(tenant, model)
        labels: Mapping[str, str] = logged.tags if logged is not None else {}
        model_type = labels.get(tags.MODEL_TYPE, ModelType.CLASSIFICATION.value)
        own = {
            key: value
            for key, value in version.tags.items()
            if "lifecycle." not in key and not is_reserved(key) and len(value) <= MAX_TEXT
        }
        return version_plan(
            framework=await asyncio.to_thread(framework_of, folder),
            model_type=row.model_type if row else model_type,
            description="",
            metrics={},
            parameters={},
            tags=own,
            dataset=None,
            created_by=labels.get(tags.CREATED_BY, ADOPTER),
            created_at=timestamp(version.created_at or self._stores.ledger.clock()),
        )
