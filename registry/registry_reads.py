"""Reads of the registry: models, versions, evidence, history, documents, experiments."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from .domain.artifact_paths import REPORT_HTML
from .domain.evidence import Evidence
from .domain.ledger_head import AnchorStatus
from .domain.models import (
    Framework,
    LedgerEntry,
    ModelMetadata,
    VersionMetadata,
)
from .domain.stages import Stage
from .mlflow_adapter.records import ExperimentRecord, RunRecord
from .services.backends import Backends
from .services.catalog import Catalog
from .services.documents import Documents
from .services.experiments import Experiments
from .services.registration.run_logging import Training


class RegistryReads:
    """The reads of :class:`~model_lifecycle.registry.model_registry.ModelRegistry`."""

    def __init__(self, backends: Backends) -> None:
        self._catalog = Catalog(backends)
        self._documents = Documents(backends)
        self._experiments = Experiments(backends, Training(backends))

    # --- Catalogue

    async def get_model(self, tenant_id: str, model_id: str) -> ModelMetadata | None:
        """The model with its current version; None if the tenant has no such model."""
        return await self._catalog.get_model(tenant_id, model_id)

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
        return await self._catalog.list_models(
            tenant_id, stage, framework, limit=limit, after=after
        )

    async def recorded_models(self, tenant_id: str | None = None) -> list[tuple[str, str]]:
        """Every ``(tenant_id, model_id)`` that the ledger has a record of, deleted models included,
        of one tenant or of all: the models that :meth:`verify_ledger` can check. For operators of
        the platform, as reading all tenants crosses their borders."""
        return await self._catalog.recorded_models(tenant_id)

    async def get_version(
        self, tenant_id: str, model_id: str, version: int | str
    ) -> VersionMetadata | None:
        """One version; None if it does not exist or was deleted."""
        return await self._catalog.get_version(tenant_id, model_id, version)

    async def list_versions(
        self, tenant_id: str, model_id: str, *, after: int = 0, limit: int | None = None
    ) -> list[VersionMetadata]:
        """The model's versions above ``after``, ascending. Raises ModelNotFound."""
        return await self._catalog.list_versions(tenant_id, model_id, after=after, limit=limit)

    async def epochs(self, models: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """How many entries the ledger has of each ``(tenant_id, model_id)``: a number that has not
        grown says that nothing has changed. One query for up to 10 000 models; a model that does
        not exist is absent."""
        return await self._catalog.epochs(models)

    async def versions_of(
        self, models: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], list[VersionMetadata]]:
        """The versions, ascending, of each ``(tenant_id, model_id)``; absent where there are none.
        One query for up to 10 000 models."""
        return await self._catalog.versions_of(models)

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
        return await self._catalog.list_evidence(
            tenant_id, model_id, version, after=after, limit=limit
        )

    async def list_model_evidence(self, tenant_id: str, model_id: str) -> list[Evidence]:
        """The evidence about every version of the model, deleted ones included, oldest first.
        Raises ModelNotFound."""
        return await self._catalog.list_model_evidence(tenant_id, model_id)

    async def history(
        self, tenant_id: str, model_id: str, *, after: int = 0, limit: int | None = None
    ) -> list[LedgerEntry]:
        """The model's entries after sequence ``after``, oldest first, also of a deleted model."""
        return await self._catalog.history(tenant_id, model_id, after=after, limit=limit)

    async def production_at(self, tenant_id: str, model_id: str, when: datetime) -> int | None:
        """The production version at that instant; None if there was none."""
        return await self._catalog.production_at(tenant_id, model_id, when)

    async def verify_ledger(self, tenant_id: str, model_id: str) -> int:
        """Number of entries of an intact ledger, compared with its heads in the artifact store and
        in MLflow. LedgerCorrupt names the first entry that is not intact; its subclasses
        LedgerTruncated and LedgerForked, a ledger that was cut or is an older backup. A store that
        does not answer is left out (:meth:`anchor_status` names it); BackendUnavailable if neither
        does."""
        return await self._catalog.verify_ledger(tenant_id, model_id)

    async def anchor_status(self, tenant_id: str, model_id: str) -> AnchorStatus:
        """How far the model's ledger is anchored in the artifact store and in MLflow. Raises
        ModelNotFound."""
        return await self._catalog.anchor_status(tenant_id, model_id)

    async def find_operation(self, tenant_id: str, operation_id: str) -> ModelMetadata | None:
        """The model that an operation returned when it committed; None if it has not."""
        return await self._catalog.find_operation(tenant_id, operation_id)

    # --- Documents

    async def get_evidence(
        self, tenant_id: str, model_id: str, version: int | str, evidence_id: str
    ) -> Evidence:
        """One piece of evidence about a version. Raises EvidenceNotFound."""
        return await self._documents.get_evidence(tenant_id, model_id, version, evidence_id)

    async def read_report(
        self,
        tenant_id: str,
        model_id: str,
        version: int | str,
        evidence_id: str,
        file: str = REPORT_HTML,
    ) -> bytes:
        """A gate's report as ``report.html`` or ``report.json``. Raises EvidenceNotFound, and
        ArtifactNotFound for evidence without a report."""
        return await self._documents.read_report(tenant_id, model_id, version, evidence_id, file)

    async def read_model_card(self, tenant_id: str, model_id: str, version: int | str) -> bytes:
        """The version's model card, Markdown. Raises VersionNotFound, ArtifactNotFound."""
        return await self._documents.read_model_card(tenant_id, model_id, version)

    async def read_training_log(self, tenant_id: str, model_id: str, version: int | str) -> bytes:
        """The log of the version's training run, text. Raises VersionNotFound, and
        ArtifactNotFound where none was logged."""
        return await self._documents.read_training_log(tenant_id, model_id, version)

    # --- Experiments

    async def log_training_metrics(
        self, tenant_id: str, run_id: str, step: int, metrics: Mapping[str, Any]
    ) -> None:
        """Log metrics of a training run of the tenant at a step. Raises RunNotFound."""
        await self._experiments.log_training_metrics(tenant_id, run_id, step, metrics)

    async def compare_runs(
        self, tenant_id: str, run_ids: Sequence[str], metrics: Sequence[str]
    ) -> list[dict[str, Any]]:
        """The runs' metrics side by side, in the order asked for, from one search; a metric that
        a run has not is None. Raises RunNotFound for the first run that is not the tenant's."""
        return await self._experiments.compare_runs(tenant_id, run_ids, metrics)

    async def list_experiments(
        self, tenant_id: str, *, after: str = "", limit: int | None = None
    ) -> list[ExperimentRecord]:
        """The tenant's experiments by name, one a model: at most ``limit`` after the name
        ``after``; all without."""
        return await self._experiments.list_experiments(tenant_id, after=after, limit=limit)

    async def list_runs(
        self,
        tenant_id: str,
        experiment_id: str,
        *,
        after: tuple[datetime | None, str] | None = None,
        limit: int | None = None,
    ) -> list[RunRecord]:
        """The runs of an experiment of the tenant, newest first: at most ``limit`` after the start
        and the id of ``after``, whether or not that run is still there; all without. Raises
        ExperimentNotFound."""
        return await self._experiments.list_runs(tenant_id, experiment_id, after=after, limit=limit)
