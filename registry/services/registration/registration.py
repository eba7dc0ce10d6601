"""Registers models and versions: from a fitted object, a LoggedModel, a run, or a folder."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from ...artifacts.checksums import folder_digest
from ...domain import identifiers
from ...domain.authorization import Action, principal, require
from ...domain.commands import RegisterVersion, class_name
from ...domain.errors import InvalidInput, ModelNotFound
from ...domain.models import ModelMetadata, timestamp
from ..backends import Backends
from ..projection.projection import Projection
from .model_logging import framework_name, log_digest
from .plan import version_plan
from .registration_request import RegistrationRequest
from .version_registration import RegistrationSteps, VersionRegistration


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
            framework=framework_name(registration.framework, optional=source is not None),
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
            training_log=log_digest(registration.training_log),
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


async def _identify_source(source: str | Path | None, operation_id: str | None) -> str | None:
    """The identity of a request's source. A folder is known by what it holds, not by where it
    lies: a repetition may come from another folder, or another host."""
    if not isinstance(source, Path):
        return source
    _check_folder(source)
    if operation_id is None:
        return str(source)
    return f"folder:{await asyncio.to_thread(folder_digest, source)}"


def _check_folder(source: Path) -> None:
    if not (source / "MLmodel").is_file():
        raise InvalidInput(
            f"{source.name!r:.80} is not an MLflow model folder: it has no MLmodel file",
            field="source",
        )
