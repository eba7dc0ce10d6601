"""Registers models and versions: from a fitted object, a LoggedModel, a run, or a folder."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...artifacts.checksums import folder_digest
from ...domain import identifiers
from ...domain.authorization import Action, Principal, principal, require
from ...domain.canonical_json import digest_bytes
from ...domain.commands import LogModel, RegisterVersion, class_name
from ...domain.errors import InvalidInput, ModelNotFound, UnknownFramework
from ...domain.identifiers import ModelId, TenantId
from ...domain.models import Framework, ModelMetadata, TrainedModel, timestamp
from ...domain.validation import validate_text
from ...frameworks import adapter_for, framework_of
from ..backends import Backends
from ..idempotency import IdempotentRequest, idempotent_request, stored_response
from .model_sources import Source, Sources
from .origins import Origins
from .plan import RegistrationPlan, version_plan
from .registration_request import RegistrationRequest
from .run_logging import LoggedTraining, Training
from .version_creation import VersionCreation

#: Characters of a training log.
MAX_LOG = 50_000_000


class Registration:
    def __init__(
        self, stores: Backends, training: Training, sources: Sources, publishing: VersionCreation
    ) -> None:
        self._stores = stores
        self._training = training
        self._sources = sources
        self._publishing = publishing
        self._origins = Origins(stores, training, sources)

    async def register_model(self, registration: RegistrationRequest) -> ModelMetadata:
        """The model with its new version. Raises as ``ModelRegistry.register_model`` does."""
        tenant = identifiers.tenant_id(registration.tenant_id)
        model_id = identifiers.model_id(registration.model_id)
        who = principal(registration.created_by)
        require(who, Action.REGISTER)
        model = registration.model
        source = model if isinstance(model, str | Path) else None
        plan = version_plan(
            framework=self._framework(registration.framework, optional=source is not None),
            model_type=registration.model_type,
            description=registration.description,
            metrics=registration.metrics,
            parameters=registration.parameters,
            tags=registration.tags,
            dataset=registration.dataset,
            outputs=registration.outputs,
            created_by=str(who),
            created_at=timestamp(self._stores.ledger.clock()),
            source=await _identify_source(source, registration.operation_id),
        )
        training_log, run_id = registration.training_log, registration.run_id
        if training_log is not None:
            validate_text(training_log, field="training_log", longest=MAX_LOG)
        command = RegisterVersion(
            actor=who,
            tenant_id=tenant,
            model_id=model_id,
            plan=plan.arguments(),
            model_class=None if plan.source else class_name(model),
            run_id=run_id,
            training_log=_digest(training_log),
        )
        request = idempotent_request(registration.operation_id, command)
        earlier = await stored_response(self._stores.ledger, tenant, request)
        if earlier is not None:
            return await self._publishing.replay_response(tenant, model_id, request, earlier)
        await self._publishing.check_artifact_root()
        await self._publishing.check_model_type(tenant, model_id, plan)
        if run_id is not None:
            await self._training.own_run(tenant, run_id)
        with tempfile.TemporaryDirectory(prefix="model-lifecycle-") as scratch:
            folder = Path(scratch) / "model"
            if isinstance(source, str):
                return await self._from_address(tenant, model_id, plan, source, folder, request)
            if source is not None:
                plan = await asyncio.to_thread(self._copied, plan, source, folder)
            else:
                await self._save(plan, model, folder, registration.input_example)
            return await self._from_folder(
                tenant, model_id, plan, folder, request, training_log=training_log, run_id=run_id
            )

    async def create_version(self, registration: RegistrationRequest) -> ModelMetadata:
        """:meth:`register_model` for a model that exists, from a source; it keeps its type. Raises
        :class:`ModelNotFound` as well."""
        tenant = identifiers.tenant_id(registration.tenant_id)
        model = identifiers.model_id(registration.model_id)
        row = await self._stores.ledger.read.row(tenant, model)
        if row is None:
            raise ModelNotFound(model)
        if not isinstance(registration.model, str | Path):
            raise InvalidInput(
                "source must be models:/m-<id>, runs:/<run id>/<path> or a folder", field="source"
            )
        return await self.register_model(replace(registration, model_type=row.model_type))

    async def log_model(
        self,
        tenant_id: str,
        name: str,
        trained: TrainedModel,
        *,
        created_by: Principal | str,
        operation_id: str | None = None,
    ) -> LoggedTraining:
        tenant, model_id = identifiers.tenant_id(tenant_id), identifiers.model_id(name)
        who = principal(created_by)
        require(who, Action.REGISTER)
        plan = version_plan(
            framework=self._framework(trained.framework, optional=False),
            model_type=trained.model_type,
            description=trained.description,
            metrics=trained.metrics,
            parameters=trained.parameters,
            tags=trained.tags,
            dataset=trained.dataset,
            outputs=trained.outputs,
            created_by=str(who),
            created_at=timestamp(self._stores.ledger.clock()),
        )
        if trained.training_log is not None:
            validate_text(trained.training_log, field="training_log", longest=MAX_LOG)
        command = LogModel(
            actor=who,
            tenant_id=tenant,
            model_id=model_id,
            plan=plan.arguments(),
            model_class=class_name(trained.model),
            training_log=_digest(trained.training_log),
        )
        request = idempotent_request(operation_id, command)
        with tempfile.TemporaryDirectory(prefix="model-lifecycle-") as scratch:
            folder = Path(scratch) / "model"
            await self._save(plan, trained.model, folder, trained.input_example)
            logged = None
            if request.named:
                logged = await self._training.find_logged(tenant, model_id, request, folder)
            if logged is None:
                run_id = None
                if request.named:
                    run_id = await self._training.find_run(tenant, model_id, request)
                logged = await self._training.log_folder(
                    tenant,
                    model_id,
                    plan,
                    folder,
                    request,
                    training_log=trained.training_log,
                    run_id=run_id
                    or await self._training.begin_run(tenant, model_id, plan, request),
                    is_new_run=True,
                )
        run = await self._training.own_run(tenant, logged.run_id or "")
        return LoggedTraining(
            run_id=run.run_id,
            model_uri=f"models:/{logged.model_id}",
            framework=plan.framework,
            model_type=plan.model_type,
            metrics=run.metrics,
        )

    async def _save(self, plan: RegistrationPlan, model: Any, folder: Path, example: Any) -> None:
        # Saving a model may take longer than anybody wants to wait for the news of an outage.
        await self._stores.tracking.ping()
        await asyncio.to_thread(self._training.save, plan, model, folder, example)

    async def _from_address(
        self,
        tenant: TenantId,
        model: ModelId,
        plan: RegistrationPlan,
        address: str,
        folder: Path,
        request: IdempotentRequest,
    ) -> ModelMetadata:
        source = await self._sources.resolve(tenant, address)
        await self._stores.artifacts.get_folder(source.path, folder)
        plan = await asyncio.to_thread(complete_plan, plan, source, folder)
        plan = replace(plan, origin=source.origin)
        begun = await self._stores.ledger.begin_operation(
            tenant, model, request.operation_id, request.fingerprint, plan.document()
        )
        if begun.answer is not None:
            return await self._publishing.replay_response(tenant, model, request, begun.answer)
        if begun.plan is not None:
            plan = RegistrationPlan.from_document(begun.plan)
        if plan.origin is not None and plan.origin != source.origin:
            # The address leads elsewhere by now: a run's newest model of a name, for example.
            source = await self._origins.fetch(tenant, plan.origin, folder)
        return await self._publishing.publish(
            tenant, model, plan, source, folder, request, repeated=begun.repeated
        )

    async def _from_folder(
        self,
        tenant: TenantId,
        model: ModelId,
        plan: RegistrationPlan,
        folder: Path,
        request: IdempotentRequest,
        *,
        training_log: str | None,
        run_id: str | None,
    ) -> ModelMetadata:
        begun = await self._stores.ledger.begin_operation(
            tenant, model, request.operation_id, request.fingerprint, plan.document()
        )
        if begun.answer is not None:
            return await self._publishing.replay_response(tenant, model, request, begun.answer)
        if begun.plan is not None:
            # The first attempt's plan, so that the bundle gets the same bytes again.
            plan = RegistrationPlan.from_document(begun.plan)
        source = await self._origins.log(
            tenant, model, plan, folder, request, training_log=training_log, run_id=run_id
        )
        return await self._publishing.publish(
            tenant, model, plan, source, folder, request, repeated=begun.repeated
        )

    def _framework(self, framework: Any, *, optional: bool) -> str:
        if framework is None and optional:
            return ""
        if framework not in tuple(Framework):
            raise UnknownFramework(framework, Framework)
        adapter_for(framework)
        return str(framework)

    def _copied(self, plan: RegistrationPlan, source: Path, folder: Path) -> RegistrationPlan:
        """A copy of an uploaded model folder, checked before MLflow hears of it."""
        shutil.copytree(source, folder, symlinks=True)
        plan = plan.completed(framework=framework_of(folder), metrics={}, parameters={}, dataset={})
        self._publishing.check(plan, folder)
        return plan


async def _identify_source(source: str | Path | None, operation_id: str | None) -> str | None:
    """What identifies the source of a request. A folder is known by what it holds, not by where it
    lies: a repetition may come from another folder, or another host."""
    if not isinstance(source, Path):
        return source
    _check_folder(source)
    if operation_id is None:
        return str(source)
    return f"folder:{await asyncio.to_thread(folder_digest, source)}"


def _digest(training_log: str | None) -> str | None:
    return None if training_log is None else digest_bytes(training_log.encode())


def _check_folder(source: Path) -> None:
    if not (source / "MLmodel").is_file():
        raise InvalidInput(
            f"{source.name!r:.80} is not an MLflow model folder: it has no MLmodel file",
            field="source",
        )


def complete_plan(plan: RegistrationPlan, source: Source, folder: Path) -> RegistrationPlan:
    """The plan with what its source tells: framework, the run's metrics and parameters, and the
    data the model was trained on. Blocking: call it in a thread."""
    return plan.completed(
        framework=framework_of(folder),
        metrics=source.run.metrics if source.run else {},
        parameters=source.run.parameters if source.run else {},
        dataset=source.dataset,
    )
