"""Enters a version into the ledger: the commit point of a registration and of an adoption.

The entry comes last, after MLflow's version and the bundle: until then no reader sees the version.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

from ...artifacts.bundle import Bundle
from ...domain import artifact_paths
from ...domain.commands import AdoptVersion, RegisterVersion
from ...domain.errors import InvalidInput
from ...domain.identifiers import ModelId, TenantId, registered_name
from ...domain.ledger_replay import REGISTRATION_DIGEST
from ...domain.models import (
    ONNX_PARITY,
    EntryKind,
    ModelMetadata,
    Receipt,
    StageMove,
    VersionMetadata,
)
from ...domain.stages import Stage
from ...frameworks.protocol import SavedModel
from ...ledger.mappers import ModelRow
from ...ledger.unit_of_work import ModelUnitOfWork
from ..backends import Backends
from ..idempotency import model_response, restore_response
from ..projection.projection import Projection
from ..write_operation import Response, WriteOperation
from .model_sources import Source
from .plan import RegistrationPlan


@dataclass(frozen=True)
class PreparedVersion:
    """A version that MLflow has and whose bundle is written: all that the ledger's entry says."""

    number: int
    plan: RegistrationPlan
    source: Source
    saved: SavedModel
    bundle: Bundle


class VersionCreation(WriteOperation[ModelMetadata]):
    """A new version in development. :meth:`prepare` of a subclass makes everything but the entry,
    and sets :attr:`prepared`."""

    is_begun: ClassVar[bool] = True

    def __init__(
        self,
        backends: Backends,
        projection: Projection,
        command: RegisterVersion | AdoptVersion,
        operation_id: str | None,
    ) -> None:
        super().__init__(backends, projection, command, operation_id)
        self.prepared: PreparedVersion | None = None
        self.kind, self.reason = EntryKind.REGISTERED, ""
        #: The actor of the entry; None for the one who made the version.
        self.actor: str | None = None

    @abstractmethod
    async def prepare(self) -> Response | None: ...

    def begin(self) -> AbstractAsyncContextManager[ModelUnitOfWork]:
        plan = self._version.plan
        return self.backends.ledger.begin_new(
            self.tenant,
            self.model,
            description=plan.description,
            model_type=plan.model_type,
            actor=plan.created_by,
        )

    async def find_response(self, work: ModelUnitOfWork) -> Response | None:
        """Also without an operation id of the caller's: ``reconcile`` finishes what it takes for
        an interrupted registration, under the id that the registration was begun with."""
        return await work.stored_response(self.request.operation_id, self.request.fingerprint)

    async def change(self, work: ModelUnitOfWork) -> ModelMetadata:
        version = self._version
        plan, bundle, source = version.plan, version.bundle, version.source
        check_model_type(work.model, plan)
        created_at = datetime.fromisoformat(plan.created_at)
        run_id = source.run.run_id if source.run else None
        onnx_tag = _onnx_tag(version.saved)
        metadata = VersionMetadata(
            tenant_id=self.tenant,
            model_id=self.model,
            version=version.number,
            stage=Stage.DEVELOPMENT,
            framework=plan.framework,
            metrics=plan.metrics,
            parameters=plan.parameters,
            tags={**plan.tags, **_dataset_tags(plan), **onnx_tag},
            artifact_uri=bundle.uri,
            bundle_digest=bundle.digest,
            run_id=run_id,
            logged_model_id=source.logged.model_id if source.logged else None,
            created_at=created_at,
            created_by=plan.created_by,
            updated_at=created_at,
        )
        await work.add_version(metadata)
        entry = await work.append(
            self.kind,
            actor=self.actor or plan.created_by,
            reason=self.reason,
            operation_id=self.request.operation_id,
            moves=[StageMove(version.number, None, Stage.DEVELOPMENT)],
            detail={
                "bundle_digest": bundle.digest,
                "artifact_uri": bundle.uri,
                "framework": plan.framework,
                "run_id": run_id,
                REGISTRATION_DIGEST: metadata.registration_digest(),
                **onnx_tag,
                **_omitted(plan),
            },
        )
        return replace(await work.metadata(), receipt=Receipt(entry, replayed=False))

    def response(self, result: ModelMetadata) -> dict[str, Any]:
        return {**model_response(result), "version": self._version.number}

    async def restore(self, response: Response) -> ModelMetadata:
        return await restore_response(
            self.backends.ledger, self.tenant, response, self.request.operation_id
        )

    async def discard(self, response: Response | None) -> None:
        version = self.prepared
        if version is None or (response is not None and response.get("version") == version.number):
            return
        await discard_version(self.backends, self.tenant, self.model, version.number)

    @property
    def _version(self) -> PreparedVersion:
        assert self.prepared is not None, "prepare() has set it"
        return self.prepared


async def discard_version(
    backends: Backends, tenant: TenantId, model: ModelId, number: int
) -> None:
    """Remove a version that MLflow has and the ledger did not take."""
    if await backends.ledger.read.versions_by_number(tenant, model, [number]):
        return
    await backends.tracking.delete_version(registered_name(tenant, model), number)
    await backends.artifacts.delete_folder(artifact_paths.bundle(tenant, model, number))


def check_model_type(model: ModelRow, plan: RegistrationPlan) -> None:
    """Raise :class:`InvalidInput` if the model is of another type than the version to be."""
    if model.model_type != plan.model_type:
        raise InvalidInput(
            f"model {model.model_id!r} is a {model.model_type} model; "
            f"a {plan.model_type} model needs a name of its own",
            field="model_type",
        )


def _dataset_tags(plan: RegistrationPlan) -> dict[str, str]:
    """The training data as tags ``dataset.<key>``, which the gates read."""
    return {
        f"dataset.{key}": str(plan.dataset[key])
        for key in ("name", "digest", "start", "end")
        if key in plan.dataset
    }


def _omitted(plan: RegistrationPlan) -> dict[str, Any]:
    """For the ledger entry: which metrics of the run the version does not have, and why."""
    return {"omitted_metrics": plan.omitted_metrics} if plan.omitted_metrics else {}


def _onnx_tag(saved: SavedModel) -> dict[str, str]:
    """The tag that a policy with ``require_onnx`` needs: ``model.onnx`` exists and was compared."""
    difference = saved.onnx.difference
    return {} if difference is None else {ONNX_PARITY: f"{difference:.2g}"}
