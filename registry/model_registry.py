"""``ModelRegistry``: everything the registry does, one method each, the tenant first.

The façade holds no logic: each method is that of the service of its kind. Another tenant's
model, version, run or experiment is "not found", in the same words as one that does not exist.
All methods raise only errors of :mod:`model_lifecycle.registry.domain.errors`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from .artifacts.protocol import ArtifactStore
from .domain import identifiers
from .domain.artifact_paths import REPORT_HTML
from .domain.authorization import Principal, principal
from .domain.commands import DeleteVersions, MoveStage, RollBack, SetPolicy
from .domain.evidence import Evidence
from .domain.models import (
    Finding,
    Framework,
    LedgerEntry,
    ModelMetadata,
    ModelType,
    Readiness,
    Receipt,
    TrainedModel,
    VersionMetadata,
)
from .domain.preconditions import (
    ANY,
    ExpectedEpoch,
    ExpectedProduction,
    parse_expected,
    parse_expected_epoch,
)
from .domain.promotion_policy import PromotionPolicy
from .domain.stages import Stage, parse_stage
from .domain.validation import validate_text
from .frameworks.protocol import Predictor
from .mlflow_adapter.records import ExperimentRecord, RunRecord
from .services.backends import Backends
from .services.catalog import Catalog
from .services.deletion import DeletionService
from .services.documents import Documents
from .services.evidence import EvidenceService
from .services.experiments import Experiments
from .services.loading import Loading
from .services.policies import PolicyService
from .services.projection.adoption import Adoption
from .services.projection.projection import Projection
from .services.projection.reconciliation import Reconcile
from .services.registration.model_sources import Sources
from .services.registration.registration import Registration
from .services.registration.registration_request import RegistrationRequest
from .services.registration.run_logging import LoggedTraining, Training
from .services.registration.version_creation import VersionCreation
from .services.transitions import TransitionService
from .services.version_files import VersionFiles
from .settings import Settings


class ModelRegistry:
    """The registry of many tenants. Made by ``open_registry``, which also closes it.

    ``actor`` and ``created_by`` are a :class:`Principal`, whose roles are checked, or a name,
    which is trusted local use with every role. ``operation_id`` makes a repeated call harmless:
    the same id gives the same answer and one effect, and OperationConflict for another request.
    ``version`` is a number or its text, ``3`` or ``"3"``.
    ``expected_epoch`` makes a write a compare-and-set on the model as the caller has seen it:
    who comes too late gets StaleModel and has changed nothing.
    """

    def __init__(self, stores: Backends) -> None:
        self._stores = stores
        projection = Projection(stores)
        self.close = projection.close
        training = Training(stores)
        sources = Sources(stores, training)
        publishing = VersionCreation(stores, projection)
        self._files = VersionFiles(stores, sources)
        self._catalog = Catalog(stores)
        self._deletion = DeletionService(stores, projection)
        self._documents = Documents(stores)
        self._experiments = Experiments(stores, training)
        self._evidence = EvidenceService(stores)
        self._policies = PolicyService(stores, projection)
        self._transitions = TransitionService(stores, projection, self._files)
        self._loading = Loading(stores)
        adoption = Adoption(stores, sources, publishing)
        self._reconcile = Reconcile(stores, projection, adoption, self._files)
        self._registration = Registration(stores, training, sources, publishing)

    @property
    def settings(self) -> Settings:
        return self._stores.settings

    @property
    def artifacts(self) -> ArtifactStore:
        """The artifact store, for reports and traffic at the paths of ``rules.paths``."""
        return self._stores.artifacts

    def clock_warning(self) -> str | None:
        """What is wrong with this process's clock, in a sentence; None if it agrees with the
        ledger's, as of the last call that reached it."""
        return self._stores.ledger.clock_warning()

    async def ping(self) -> None:
        """Return if ledger, MLflow and artifact store answer; BackendUnavailable names one."""
        await self._stores.ledger.ping()
        await self._stores.tracking.ping()
        await self._stores.artifacts.ping()

    # --- Registration

    async def register_model(
        self,
        tenant_id: str,
        name: str,
        model: Any,
        framework: str | None,
        metrics: Mapping[str, Any] | None,
        parameters: Mapping[str, Any] | None,
        tags: Mapping[str, Any] | None = None,
        *,
        model_type: str = ModelType.CLASSIFICATION.value,
        description: str = "",
        input_example: Any = None,
        training_log: str | None = None,
        dataset: Mapping[str, Any] | None = None,
        outputs: Mapping[str, str] | None = None,
        run_id: str | None = None,
        created_by: Principal | str,
        operation_id: str | None = None,
    ) -> ModelMetadata:
        """Register the first or next version of a model, in development.

        ``model`` is a fitted object; or a source of the tenant, ``models:/m-…`` or
        ``runs:/<run>/<path>``, whose run gives metrics and parameters left out; or the Path of an
        MLflow model folder. Role: contributor.

        ``outputs`` names the outputs of a network or an ONNX model with several:
        ``{"score": "probabilities", "prediction": "label"}``; ``score_transform``, ``sigmoid`` or
        ``softmax``, declares that the score output holds logits.

        The version becomes visible with its complete bundle, or not at all. Raises InvalidInput
        and its kin (UnknownFramework, UntrustedModel, InvalidName), NotFound for a source,
        OperationConflict, BackendUnavailable.
        """
        return await self._registration.register_model(
            RegistrationRequest(
                tenant_id=tenant_id,
                model_id=name,
                model=model,
                framework=framework,
                metrics=metrics,
                parameters=parameters,
                tags=tags,
                description=description,
                dataset=dataset,
                outputs=outputs,
                created_by=created_by,
                operation_id=operation_id,
                model_type=model_type,
                input_example=input_example,
                training_log=training_log,
                run_id=run_id,
            )
        )

    async def create_version(
        self,
        tenant_id: str,
        model_id: str,
        source: str | Path,
        *,
        framework: str | None = None,
        metrics: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        description: str = "",
        dataset: Mapping[str, Any] | None = None,
        outputs: Mapping[str, str] | None = None,
        created_by: Principal | str,
        operation_id: str | None = None,
    ) -> ModelMetadata:
        """Register the next version of an existing model from a source. Role: contributor.

        Raises ModelNotFound, and what :meth:`register_model` raises.
        """
        return await self._registration.create_version(
            RegistrationRequest(
                tenant_id=tenant_id,
                model_id=model_id,
                model=source,
                framework=framework,
                metrics=metrics,
                parameters=parameters,
                tags=tags,
                description=description,
                dataset=dataset,
                outputs=outputs,
                created_by=created_by,
                operation_id=operation_id,
            )
        )

    async def log_model(
        self,
        tenant_id: str,
        name: str,
        trained: TrainedModel,
        *,
        created_by: Principal | str,
        operation_id: str | None = None,
    ) -> LoggedTraining:
        """Log a trained model in MLflow, to be registered later by its ``model_uri``.

        Nothing enters the ledger. Role: contributor.
        """
        return await self._registration.log_model(
            tenant_id, name, trained, created_by=created_by, operation_id=operation_id
        )

    # --- Lifecycle

    async def transition_stage(
        self,
        tenant_id: str,
        model_id: str,
        version: int | str,
        target_stage: Stage | str,
        *,
        actor: Principal | str,
        reason: str = "",
        expected_production: ExpectedProduction = ANY,
        expected_epoch: ExpectedEpoch = ANY,
        force: bool = False,
        operation_id: str | None = None,
    ) -> ModelMetadata:
        """Move a version to another stage; a promotion archives the version it replaces.

        Evidence is judged inside the write. ``expected_production`` makes it a compare-and-set:
        the loser of a race gets StaleProduction and has changed nothing. ``force`` waives missing
        evidence, needs a reason and the role admin, and shows in the ledger. A version goes to
        production only with the files that were registered. Role: promoter.
        Moving the production version to development, with a reason, is a rollback; where no
        earlier version can take its place, production becomes empty.

        Raises InvalidTransition, GateRefused, StaleProduction, VersionNotFound, BundleCorrupt,
        PermissionDenied, OperationConflict, BackendUnavailable; nothing is changed then.
        """
        command = MoveStage(
            actor=principal(actor),
            tenant_id=identifiers.tenant_id(tenant_id),
            model_id=identifiers.model_id(model_id),
            version=identifiers.version_number(version),
            target=parse_stage(target_stage),
            reason=validate_text(reason, field="reason"),
            expected_production=parse_expected(expected_production),
            expected_epoch=parse_expected_epoch(expected_epoch),
            force=force,
        )
        return await self._transitions.transition_stage(command, operation_id)

    async def rollback(
        self,
        tenant_id: str,
        model_id: str,
        *,
        to_version: int | str | None = None,
        actor: Principal | str,
        reason: str,
        expected_production: ExpectedProduction = ANY,
        expected_epoch: ExpectedEpoch = ANY,
        operation_id: str | None = None,
    ) -> ModelMetadata:
        """Put an earlier production version back, in one operation; the present one goes to
        development.

        Default target: the version that was superseded last. One that was retired for a reason
        comes back only by its number. Its bundle is verified first. ``expected_production`` is the
        version that the caller saw in production: of two who roll back what both saw, the second
        gets StaleProduction, and production does not go back two versions. Role: promoter. Raises
        BundleCorrupt, NoEarlierProduction, InvalidTransition, StaleProduction also when somebody
        else changed production meanwhile.
        """
        command = RollBack(
            actor=principal(actor),
            tenant_id=identifiers.tenant_id(tenant_id),
            model_id=identifiers.model_id(model_id),
            to_version=None if to_version is None else identifiers.version_number(to_version),
            reason=validate_text(reason, field="reason"),
            expected_production=parse_expected(expected_production),
            expected_epoch=parse_expected_epoch(expected_epoch),
        )
        return await self._transitions.rollback(command, operation_id)

    async def delete_model(
        self,
        tenant_id: str,
        model_id: str,
        version: int | str | None = None,
        *,
        actor: Principal | str,
        reason: str,
        expected_epoch: ExpectedEpoch = ANY,
        operation_id: str | None = None,
    ) -> Receipt:
        """Delete a version, or all versions of a model, that were never in production.

        All or nothing; the history stays. Returns the deletion's receipt. Role: admin. Raises
        InvalidTransition where one of them is, or ever was, in production.
        """
        command = DeleteVersions(
            actor=principal(actor),
            tenant_id=identifiers.tenant_id(tenant_id),
            model_id=identifiers.model_id(model_id),
            version=None if version is None else identifiers.version_number(version),
            reason=validate_text(reason, field="reason"),
            expected_epoch=parse_expected_epoch(expected_epoch),
        )
        return await self._deletion.delete_model(command, operation_id)

    # --- Judgement

    async def readiness(
        self, tenant_id: str, model_id: str, version: int | str, target_stage: Stage | str
    ) -> Readiness:
        """What a version still lacks for a stage, in words and codes; changes nothing."""
        return await self._evidence.readiness(tenant_id, model_id, version, target_stage)

    async def record_evidence(
        self,
        tenant_id: str,
        model_id: str,
        version: int | str,
        evidence: Evidence,
        *,
        actor: Principal | str,
    ) -> Evidence:
        """Record a gate's verdict on a version. Role: gatekeeper.

        It is the gate's own where the gate's report lies in its place in the artifact store and
        says the same; else it is external, and overrides nothing that the gate itself said.
        Idempotent by evidence id; AlreadyExists for the same id with other content, InvalidInput
        for evidence that differs from its report or is dated in the future.
        """
        return await self._evidence.record_evidence(
            tenant_id, model_id, version, evidence, actor=actor
        )

    async def set_policy(
        self,
        tenant_id: str,
        model_id: str,
        policy: PromotionPolicy | Mapping[str, Any],
        *,
        actor: Principal | str,
        reason: str = "",
        expected_epoch: ExpectedEpoch = ANY,
        operation_id: str | None = None,
    ) -> PromotionPolicy:
        """Set the model's promotion policy, as an entry of the ledger; the same policy again
        changes nothing. Role: gatekeeper. Evidence made under another policy no longer counts.

        Returns the policy complete with the defaults of its gates. Raises InvalidInput for a
        policy that the gates do not understand, or whose values together never allow a PASS."""
        command = SetPolicy(
            actor=principal(actor),
            tenant_id=identifiers.tenant_id(tenant_id),
            model_id=identifiers.model_id(model_id),
            policy=policy
            if isinstance(policy, PromotionPolicy)
            else PromotionPolicy.from_document(policy),
            reason=validate_text(reason, field="reason"),
            expected_epoch=parse_expected_epoch(expected_epoch),
        )
        return await self._policies.set_policy(command, operation_id)

    async def get_policy(self, tenant_id: str, model_id: str) -> PromotionPolicy:
        """The model's policy; a default one, with empty gates, until one is set."""
        return await self._policies.get_policy(tenant_id, model_id)

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
        """What gates said about the version, oldest first: at most ``limit`` after the time and
        the id of ``after``; all without. Raises VersionNotFound."""
        return await self._catalog.list_evidence(
            tenant_id, model_id, version, after=after, limit=limit
        )

    async def list_model_evidence(self, tenant_id: str, model_id: str) -> list[Evidence]:
        """What gates said about every version of the model, deleted ones included, oldest first.
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
        """Number of entries of an intact ledger; LedgerCorrupt names the first that is not."""
        return await self._catalog.verify_ledger(tenant_id, model_id)

    async def find_operation(self, tenant_id: str, operation_id: str) -> ModelMetadata | None:
        """What an operation that returns a model was answered; None if it has not committed."""
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

    # --- Use and upkeep

    async def load_model(
        self,
        tenant_id: str,
        model_id: str,
        version: int | str | None = None,
        stage: Stage | str | None = None,
    ) -> Predictor:
        """The model of a version, of the newest version in a stage, or of the production version.

        Without version and stage it is production or an error, never a version that has proved
        nothing. Its files are verified against the ledger's digest before anything is loaded.
        Raises BundleCorrupt, UntrustedModel, VersionNotFound, ModelNotFound.
        """
        return await self._loading.load_model(tenant_id, model_id, version, stage)

    async def verify_files(self, tenant_id: str, model_id: str, version: int | str) -> None:
        """Read every file of a version again, and of the copy that MLflow serves where that is not
        the bundle itself. Raises BundleCorrupt, naming the first file that is missing, added or
        different; VersionNotFound."""
        await self._files.verify_version(tenant_id, model_id, version)

    async def reconcile(self, tenant_id: str | None = None) -> list[Finding]:
        """Compare MLflow with the ledger, of one tenant or of all; heal and tell what differs."""
        return await self._reconcile.reconcile(tenant_id)
