"""Logs trained models in MLflow, to be registered later. Nothing enters the ledger."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ...domain import identifiers
from ...domain.authorization import Action, Principal, principal, require
from ...domain.canonical_json import digest_bytes
from ...domain.commands import LogModel, class_name
from ...domain.errors import UnknownFramework
from ...domain.models import Framework, TrainedModel, timestamp
from ...domain.validation import validate_text
from ...frameworks import adapter_for
from ..backends import Backends
from ..idempotency import idempotent_request
from .plan import version_plan
from .run_logging import LoggedTraining, Training

#: Characters of a training log.
MAX_LOG = 50_000_000


class ModelLogging:
    def __init__(self, backends: Backends, training: Training) -> None:
        self._backends = backends
        self._training = training

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
        tenant, model_id = identifiers.tenant_id(tenant_id), identifiers.model_id(name)
        who = principal(created_by)
        require(who, Action.REGISTER)
        plan = version_plan(
            trained,
            framework=framework_name(trained.framework, optional=False),
            created_by=str(who),
            created_at=timestamp(self._backends.ledger.clock()),
        )
        command = LogModel(
            actor=who,
            tenant_id=tenant,
            model_id=model_id,
            plan=plan.arguments(),
            model_class=class_name(trained.model),
            training_log=log_digest(trained.training_log),
        )
        request = idempotent_request(operation_id, command)
        training = self._training
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


def framework_name(framework: Any, *, optional: bool) -> str:
    """The framework's name; empty where it may be left out. Raises :class:`UnknownFramework`, and
    FrameworkUnavailable for one that is not installed."""
    if framework is None and optional:
        return ""
    if framework not in tuple(Framework):
        raise UnknownFramework(framework, Framework)
    adapter_for(framework)
    return str(framework)


def log_digest(training_log: str | None) -> str | None:
    """The digest of a training log. Raises :class:`InvalidInput` for what is no text of a log."""
    if training_log is None:
        return None
    return digest_bytes(validate_text(training_log, field="training_log", longest=MAX_LOG).encode())
