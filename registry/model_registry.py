"""``ModelRegistry``: everything the registry does, one method each, the tenant first.

The façade is composed of services, and holds no logic of its own: writes with many arguments are
parsed into a command and handed to their service. Another tenant's
model, version, run or experiment is "not found", in the same words as one that does not exist.
All methods raise only errors of :mod:`model_lifecycle.registry.domain.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .artifacts.protocol import ArtifactStore
from .domain import identifiers
from .domain.authorization import Principal, principal
from .domain.commands import DeleteVersions, EraseVersion, MoveStage, RollBack
from .domain.models import ModelMetadata, ModelType, Receipt
from .domain.preconditions import (
    ANY,
    ExpectedEpoch,
    ExpectedProduction,
    parse_expected,
    parse_expected_epoch,
)
from .domain.stages import Stage, parse_stage
from .domain.validation import validate_text
from .registry_maintenance import RegistryMaintenance
from .services.anchors import Anchors
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
from .services.proofs import ProofService
from .services.registration.model_logging import ModelLogging
from .services.registration.model_sources import Sources
from .services.registration.registration import Registration
from .services.registration.registration_request import RegistrationRequest
from .services.registration.run_logging import Training
from .services.registration.version_registration import RegistrationSteps
from .services.signing_keys import SigningKeys
from .services.transitions import TransitionService
from .services.version_files import VersionFiles
from .settings import Settings


class ModelRegistry(
    Catalog,
    Documents,
    Experiments,
    EvidenceService,
    PolicyService,
    ProofService,
    ModelLogging,
    Loading,
    RegistryMaintenance,
):
    """The registry of many tenants. Made by ``open_registry``, which also closes it.

    ``actor`` and ``created_by`` are a :class:`Principal`, whose roles are checked, or a name,
    which is trusted local use with every role. ``operation_id`` makes a repeated call harmless:
    the same id gives the same answer and one effect, and OperationConflict for another request.
    ``version`` is a number or its text, ``3`` or ``"3"``.
    ``expected_epoch`` makes a write a compare-and-set on the model as the caller has seen it:
    the losing writer gets StaleModel, and nothing is changed.
    """

    def __init__(self, stores: Backends) -> None:
        anchors = Anchors(stores)
        stores.ledger.after_commit = anchors.schedule
        projection = Projection(stores, anchors)
        keys = SigningKeys(stores.settings)
        training = Training(stores)
        Catalog.__init__(self, stores)
        Documents.__init__(self, stores)
        Experiments.__init__(self, stores, training)
        EvidenceService.__init__(self, stores, projection, keys)
        PolicyService.__init__(self, stores, projection)
        ProofService.__init__(self, stores, keys)
        ModelLogging.__init__(self, stores, training)
        Loading.__init__(self, stores)
        self._stores = stores
        sources = Sources(stores, training)
        steps = RegistrationSteps(stores, training, sources)
        files = VersionFiles(stores, sources)
        self._deletion = DeletionService(stores, projection)
        self._transitions = TransitionService(stores, projection, files)
        adoption = Adoption(stores, projection, steps)
        RegistryMaintenance.__init__(self, stores, projection, adoption, files, anchors)
        self._registration = Registration(stores, projection, steps)

    @property
    def settings(self) -> Settings:
        return self._stores.settings

    @property
    def artifacts(self) -> ArtifactStore:
        """The artifact store, for reports and traffic at the paths of ``rules.paths``."""
        return self._stores.artifacts

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
        without_verification: bool = False,
        operation_id: str | None = None,
    ) -> ModelMetadata:
        """Move a version to another stage; a promotion archives the version it replaces.

        Evidence is judged inside the write. ``expected_production`` makes it a compare-and-set:
        the loser of a race gets StaleProduction and has changed nothing. ``force`` waives missing
        evidence, needs a reason and the role admin, and shows in the ledger. A version goes to
        production only with the files that were registered. Role: promoter.
        Moving the production version to development, with a reason, is a rollback; where no
        earlier version can take its place, production becomes empty.
        ``without_verification`` is as for :meth:`rollback`.

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
            without_verification=without_verification,
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
        without_verification: bool = False,
        operation_id: str | None = None,
    ) -> ModelMetadata:
        """Put an earlier production version back, in one operation; the present one goes to
        development.

        Default target: the version that was superseded last. One that was retired for a reason
        comes back only by its number. Its bundle is verified first. ``expected_production`` is the
        version that the caller saw in production: of two who roll back what both saw, the second
        gets StaleProduction, and production does not go back two versions. Role: promoter. Raises
        BundleCorrupt, NoEarlierProduction, InvalidTransition, StaleProduction also where another
        writer changed production meanwhile.

        ``without_verification`` moves the ledger also while the artifact store or MLflow does not
        answer within 5 seconds: the entry records what was not verified, and MLflow follows from
        the outbox. Files that can be read and differ still refuse the move. Role: admin.
        """
        command = RollBack(
            actor=principal(actor),
            tenant_id=identifiers.tenant_id(tenant_id),
            model_id=identifiers.model_id(model_id),
            to_version=None if to_version is None else identifiers.version_number(to_version),
            reason=validate_text(reason, field="reason"),
            expected_production=parse_expected(expected_production),
            expected_epoch=parse_expected_epoch(expected_epoch),
            without_verification=without_verification,
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

    async def erase_version(
        self,
        tenant_id: str,
        model_id: str,
        version: int | str,
        *,
        actor: Principal | str,
        reason: str,
        expected_epoch: ExpectedEpoch = ANY,
        operation_id: str | None = None,
    ) -> Receipt:
        """Remove the files of a version for legal reasons, also of one that was in production.

        Its entries stay, the erasure is one of them, and the version can go nowhere any more. The
        copy in MLflow's LoggedModel, which the entry names, is MLflow's to delete. Role: admin.
        Raises InvalidTransition for the version in production, VersionNotFound.
        """
        command = EraseVersion(
            actor=principal(actor),
            tenant_id=identifiers.tenant_id(tenant_id),
            model_id=identifiers.model_id(model_id),
            version=identifiers.version_number(version),
            reason=validate_text(reason, field="reason"),
            expected_epoch=parse_expected_epoch(expected_epoch),
        )
        return await self._deletion.erase_version(command, operation_id)
