"""One adoption: a version that MLflow has already becomes the ledger's."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ...artifacts.bundle import stored_bundle
from ...domain import artifact_paths
from ...domain.authorization import Principal
from ...domain.commands import AdoptVersion
from ...domain.identifiers import ModelId, TenantId
from ...domain.models import EntryKind, ModelType, timestamp
from ...domain.reserved_tags import is_reserved
from ...domain.validation import MAX_TEXT
from ...frameworks import framework_of
from ...ledger.mappers import Operation
from ...mlflow_adapter import tags
from ...mlflow_adapter.records import ModelVersionRecord
from ..backends import Backends
from ..idempotency import IdempotentRequest
from ..projection.projection import Projection
from ..write_operation import Response
from .model_sources import Source, Sources
from .plan import RegistrationPlan, version_plan
from .registration_request import VersionDescription
from .version_bundle import (
    check_model_folder,
    load_bundle_signer,
    sign_version_bundle,
    write_version_bundle,
)
from .version_creation import PreparedVersion, VersionCreation
from .version_registration import complete_plan

ADOPTER = "reconcile"


class VersionAdoption(VersionCreation):
    """The adoption of ``record``: the end of the ``interrupted`` registration that made it, or the
    entry of a version that somebody registered in MLflow."""

    def __init__(
        self,
        backends: Backends,
        projection: Projection,
        sources: Sources,
        tenant: TenantId,
        model: ModelId,
        record: ModelVersionRecord,
        interrupted: Operation | None,
    ) -> None:
        command = AdoptVersion(
            actor=Principal(ADOPTER), tenant_id=tenant, model_id=model, version=record.version
        )
        super().__init__(backends, projection, command, f"{ADOPTER}/{model}/{record.version}")
        self._sources = sources
        self._record = record
        self._begun: RegistrationPlan | None = None
        if interrupted is None:
            self.kind, self.actor = EntryKind.ADOPTED, ADOPTER
            self.reason = "known to MLflow, and not to the ledger"
        else:
            assert interrupted.plan is not None, "an interrupted registration has its plan"
            self._begun = RegistrationPlan.from_document(interrupted.plan)
            self.request = IdempotentRequest(
                interrupted.operation_id, interrupted.request, named=True
            )

    @property
    def omitted_metrics(self) -> Mapping[str, str]:
        """Metrics of the run that the version does not have, with their values as text."""
        return self.prepared.plan.omitted_metrics if self.prepared else {}

    async def prepare(self) -> Response | None:
        begun, number, artifacts = self._begun, self._record.version, self.backends.artifacts
        source = await (
            self._sources.of_origin(self.tenant, begun.origin or {})
            if begun is not None
            else self._sources.of_version(self.tenant, self._record)
        )
        with tempfile.TemporaryDirectory(prefix="model-lifecycle-") as scratch:
            folder = Path(scratch) / "model"
            await artifacts.get_folder(source.path, folder)
            if source.path == artifact_paths.bundle(self.tenant, self.model, number):
                (folder / artifact_paths.MANIFEST).unlink(missing_ok=True)
            plan = begun or await self._new_plan(source, folder)
            saved = await asyncio.to_thread(
                check_model_folder, self.backends.settings, plan, folder
            )
            bundle = None
            if begun is None:
                # Of a ledger restored from a backup: the bundle was made with what it then knew.
                bundle = await stored_bundle(
                    artifacts,
                    self.tenant,
                    self.model,
                    number,
                    framework=plan.framework,
                    saved_folder=folder,
                )
            bundle = bundle or await write_version_bundle(
                artifacts, self.tenant, self.model, number, plan, source, saved, folder
            )
        signer = await load_bundle_signer(self.backends.settings)
        await sign_version_bundle(artifacts, signer, self.tenant, self.model, number, bundle)
        self.prepared = PreparedVersion(number, plan, source, saved, bundle)
        return None

    async def discard(self, response: Response | None) -> None:
        """A version that is refused stays as it is: somebody else made it."""
        if response is not None:
            await super().discard(response)

    async def _new_plan(self, source: Source, folder: Path) -> RegistrationPlan:
        """The plan of a version that no registration began: what MLflow knows of it."""
        row = await self.backends.ledger.read.row(self.tenant, self.model)
        labels: Mapping[str, str] = source.logged.tags if source.logged else {}
        model_type = labels.get(tags.MODEL_TYPE, ModelType.CLASSIFICATION.value)
        own = {
            key: value
            for key, value in self._record.tags.items()
            if "lifecycle." not in key and not is_reserved(key) and len(value) <= MAX_TEXT
        }
        plan = version_plan(
            VersionDescription(model_type=row.model_type if row else model_type, tags=own),
            framework=await asyncio.to_thread(framework_of, folder),
            created_by=labels.get(tags.CREATED_BY, ADOPTER),
            created_at=timestamp(self._record.created_at or self.backends.ledger.clock()),
        )
        return await asyncio.to_thread(complete_plan, plan, source, folder)
