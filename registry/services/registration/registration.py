"""Registers models and versions: from a fitted object, a LoggedModel, a run, or a folder."""

from __future__ import annotations

import asyncio
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
from ...domain.models import Framework, ModelMetadata, TrainedModel, timestamp
from ...domain.validation import validate_text
from ...frameworks import adapter_for
from ..backends import Backends
from ..idempotency import idempotent_request
from ..projection.projection import Projection
from .plan import version_plan
from .registration_request import RegistrationRequest
from .run_logging import LoggedTraining
from .version_registration import RegistrationSteps, VersionRegistration

#: Characters of a training log.
MAX_LOG = 50_000_000


class Registration:
    def __init__(self, stores: Backends, projection: Projection, steps: RegistrationSteps) -> None:
        self._stores = stores
        self._projection = projection
        self._steps = steps

    async def register_model(self, registration: RegistrationRequest) -> ModelMetadata:
        """The model with its new version. Raises as ``ModelRegistry.register_model`` does."""
        tenant = identifiers.tenant_id(registration.tenant_id)
        model_id = identifiers.model_id(registration.model_id)
        who = principal(registration.created_by)
        require(who, Action.REGISTER)
        model = registration.model
        source = model if isinstance(model, str | Path) else None
        plan = version_plan(
            registration,
            framework=self._framework(registration.framework, optional=source is not None),
            created_by=str(who),
            created_at=timestamp(self._stores.ledger.clock()),
            source=await _identify_source(source, registration.operation_id),
        )
        command = RegisterVersion(
            actor=who,
            tenant_id=tenant,
            model_id=model_id,
            plan=plan.arguments(),
            model_class=None if plan.source else class_name(model),
            run_id=registration.run_id,
            training_log=_log_digest(registration.training_log),
        )
        return await VersionRegistration(
            self._stores, self._projection, self._steps, command, registration, plan
        ).execute()

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
            trained,
            framework=self._framework(trained.framework, optional=False),
            created_by=str(who),
            created_at=timestamp(self._stores.ledger.clock()),
        )
        command = LogModel(
            actor=who,
            tenant_id=tenant,
            model_id=model_id,
            plan=plan.arguments(),
            model_class=class_name(trained.model),
            training_log=_log_digest(trained.training_log),
        )
        request = idempotent_request(operation_id, command)
        training = self._steps.training
        with tempfile.TemporaryDirectory(prefix="model-lifecycle-") as scratch:
            folder = Path(scratch) / "model"
            await training.save(plan, trained.model, folder, trained.input_example)
            logged = None
            if request.named:
                logged = await training.find_logged(tenant, model_id, request, folder)
            if logged is None:
                run_id = None
                if request.named:
                    run_id = await training.find_run(tenant, model_id, request)
                logged = await training.log_folder(
                    tenant,
                    model_id,
                    plan,
                    folder,
                    request,
                    training_log=trained.training_log,
                    run_id=run_id or await training.begin_run(tenant, model_id, plan, request),
                    is_new_run=True,
                )
        run = await training.own_run(tenant, logged.run_id or "")
        return LoggedTraining(
            run_id=run.run_id,
            model_uri=f"models:/{logged.model_id}",
            framework=plan.framework,
            model_type=plan.model_type,
            metrics=run.metrics,
        )

    def _framework(self, framework: Any, *, optional: bool) -> str:
        if framework is None and optional:
            return ""
        if framework not in tuple(Framework):
            raise UnknownFramework(framework, Framework)
        adapter_for(framework)
        return str(framework)


async def _identify_source(source: str | Path | None, operation_id: str | None) -> str | None:
    """The identity of a request's source. A folder is known by what it holds, not by where it
    lies: a repetition may come from another folder, or another host."""
    if not isinstance(source, Path):
        return source
    _check_folder(source)
    if operation_id is None:
        return str(source)
    return f"folder:{await asyncio.to_thread(folder_digest, source)}"


def _log_digest(training_log: str | None) -> str | None:
    """The digest of a training log. Raises :class:`InvalidInput` for what is no text of a log."""
    if training_log is None:
        return None
    return digest_bytes(validate_text(training_log, field="training_log", longest=MAX_LOG).encode())


def _check_folder(source: Path) -> None:
    if not (source / "MLmodel").is_file():
        raise InvalidInput(
            f"{source.name!r:.80} is not an MLflow model folder: it has no MLmodel file",
            field="source",
        )
