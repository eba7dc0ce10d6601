"""Takes into the ledger what MLflow has and the ledger does not: registrations that were
interrupted, versions that somebody registered in MLflow by hand, and those that came after the
backup from which the ledger was restored."""

from __future__ import annotations

from collections.abc import Mapping

from ...domain.errors import BackendUnavailable, NotFound, RegistryError
from ...domain.identifiers import ModelId, TenantId
from ...domain.models import Finding
from ...ledger.mappers import Operation
from ...mlflow_adapter import tags
from ...mlflow_adapter.records import ModelVersionRecord
from ..backends import Backends
from ..registration.version_adoption import VersionAdoption
from ..registration.version_creation import discard_version
from ..registration.version_registration import RegistrationSteps
from .identity import bundle_number, is_own_bundle
from .projection import Projection


class Adoption:
    def __init__(self, stores: Backends, projection: Projection, steps: RegistrationSteps) -> None:
        self._stores = stores
        self._projection = projection
        self._steps = steps

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
            await discard_version(self._stores, tenant, model, version.version)
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
        adoption = VersionAdoption(
            self._stores, self._projection, self._steps.sources, tenant, model, version, interrupted
        )
        try:
            await adoption.execute()
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
        if adoption.omitted_metrics:
            named = ", ".join(
                f"{name} ({value})" for name, value in adoption.omitted_metrics.items()
            )
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
            source = await self._steps.sources.of_origin(tenant, operation.plan["origin"])
        except NotFound:
            return False
        return self._steps.mlflow_versions.is_own(tenant, model, version, source)

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
