"""Files about a version that people read: gate reports, the model card, the training log."""

from __future__ import annotations

from ..domain import artifact_paths, identifiers
from ..domain.errors import ArtifactNotFound, EvidenceNotFound, InvalidInput, VersionNotFound
from ..domain.evidence import Evidence
from ..domain.identifiers import ModelId, TenantId
from ..domain.models import VersionMetadata
from .backends import Backends

_REPORT_FILES = (artifact_paths.REPORT_HTML, artifact_paths.REPORT_JSON)


class Documents:
    def __init__(self, stores: Backends) -> None:
        self._read = stores.ledger.read
        self._artifacts = stores.artifacts

    async def get_evidence(
        self, tenant_id: str, model_id: str, version: int | str, evidence_id: str
    ) -> Evidence:
        """One piece of evidence about a version. Raises EvidenceNotFound."""
        _, _, item = await self._find_evidence(tenant_id, model_id, version, evidence_id)
        return item

    async def read_report(
        self,
        tenant_id: str,
        model_id: str,
        version: int | str,
        evidence_id: str,
        file: str = artifact_paths.REPORT_HTML,
    ) -> bytes:
        """A gate's report as ``report.html`` or ``report.json``. Raises EvidenceNotFound, and
        ArtifactNotFound for evidence without a report."""
        if file not in _REPORT_FILES:
            raise InvalidInput(
                f"a report has the files {' and '.join(_REPORT_FILES)}, not {file!r:.80}",
                field="file",
            )
        tenant, model, item = await self._find_evidence(tenant_id, model_id, version, evidence_id)
        path = self._artifacts.path_of(item.report_uri) if item.report_uri else None
        folder = artifact_paths.gate_reports(
            tenant, model, identifiers.version_number(item.version)
        )
        # The address is what somebody recorded: only a report of this version is a report here.
        if path is None or not path.startswith(f"{folder}/"):
            raise ArtifactNotFound(f"report of evidence {evidence_id}")
        return await self._artifacts.get_bytes(f"{path.rstrip('/')}/{file}")

    async def read_model_card(self, tenant_id: str, model_id: str, version: int | str) -> bytes:
        """The version's model card, Markdown. Raises VersionNotFound, ArtifactNotFound."""
        tenant, model, item = await self._find_version(tenant_id, model_id, version)
        folder = artifact_paths.bundle(tenant, model, item.version)
        return await self._artifacts.get_bytes(f"{folder}/{artifact_paths.MODEL_CARD}")

    async def read_training_log(self, tenant_id: str, model_id: str, version: int | str) -> bytes:
        """The log of the version's training run, text. Raises VersionNotFound, and
        ArtifactNotFound where none was logged."""
        tenant, _, item = await self._find_version(tenant_id, model_id, version)
        if item.run_id is None:
            raise ArtifactNotFound(f"training log of {model_id}/{item.version}")
        return await self._artifacts.get_bytes(
            f"{artifact_paths.training_logs(tenant, item.run_id)}/{artifact_paths.TRAINING_LOG}"
        )

    async def _find_evidence(
        self, tenant_id: str, model_id: str, version: int | str, evidence_id: str
    ) -> tuple[TenantId, ModelId, Evidence]:
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        number = identifiers.version_number(version)
        item = await self._read.evidence_by_id(
            tenant, model, number, identifiers.operation_id(evidence_id)
        )
        if item is None:
            raise EvidenceNotFound(evidence_id)
        return tenant, model, item

    async def _find_version(
        self, tenant_id: str, model_id: str, version: int | str
    ) -> tuple[TenantId, ModelId, VersionMetadata]:
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        number = identifiers.version_number(version)
        item = await self._read.version(tenant, model, number)
        if item is None:
            raise VersionNotFound(model, number)
        return tenant, model, item
