"""Logs a trained model in MLflow: run, metrics, parameters, training log, LoggedModel."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...domain import artifact_paths
from ...domain.errors import OperationConflict, RunNotFound
from ...domain.identifiers import ModelId, TenantId
from ...domain.model_outputs import model_outputs
from ...domain.models import timestamp
from ...frameworks import adapter_for
from ...mlflow_adapter import tags
from ...mlflow_adapter.records import LoggedModelRecord, RunRecord
from ..backends import Backends
from ..idempotency import IdempotentRequest
from .plan import RegistrationPlan


@dataclass(frozen=True)
class LoggedTraining:
    """A trained model in MLflow, not registered yet. ``model_uri`` is ``models:/m-…``."""

    run_id: str
    model_uri: str
    framework: str
    model_type: str
    metrics: Mapping[str, float]

    def document(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "model_uri": self.model_uri,
            "framework": self.framework,
            "model_type": self.model_type,
            "metrics": dict(self.metrics),
        }


class Training:
    def __init__(self, stores: Backends) -> None:
        self._stores = stores

    async def save(
        self, plan: RegistrationPlan, model: Any, folder: Path, input_example: Any
    ) -> None:
        """Write the model as an MLflow model folder.

        Raises UntrustedModel, InvalidInput and FrameworkUnavailable, and BackendUnavailable at
        once while MLflow is unavailable: saving may take long. MLflow has not heard of the model
        by then.
        """
        await self._stores.tracking.ping()
        settings = self._stores.settings
        adapter = adapter_for(
            plan.framework,
            settings_trusted_types=settings.trusted_types,
            allow_pickle=settings.allow_pickle,
        )
        await asyncio.to_thread(
            adapter.save,
            model,
            folder,
            input_example=input_example,
            model_type=plan.model_type,
            outputs=model_outputs(plan.outputs),
        )

    async def log_folder(
        self,
        tenant: TenantId,
        model: ModelId,
        plan: RegistrationPlan,
        folder: Path,
        request: IdempotentRequest,
        *,
        training_log: str | None,
        run_id: str,
        is_new_run: bool,
    ) -> LoggedModelRecord:
        """Log an MLflow model folder under a run of the tenant. The folder is afterwards what was
        stored. A run that the caller has begun for it is finished; one of others is left open."""
        tracking = self._stores.tracking
        experiment = await self.experiment(tenant, model)
        run = (await self.own_run(tenant, run_id)).run_id
        await tracking.log_run(
            run, metrics=plan.metrics, parameters=plan.parameters, tags=plan.tags
        )
        logged = await tracking.log_model_folder(
            experiment,
            name=model,
            folder=folder,
            run_id=run,
            framework=plan.framework,
            tags={
                **_made_by(plan, request),
                tags.FRAMEWORK: plan.framework,
                tags.MODEL_TYPE: plan.model_type,
                tags.DATASET: json.dumps(plan.dataset, sort_keys=True),
            },
            parameters=plan.parameters,
            artifacts=self._stores.artifacts,
        )
        await self._keep_records(tenant, run, plan, training_log, new=is_new_run)
        if is_new_run:
            await tracking.finish_run(run)
        return logged

    async def find_logged(
        self, tenant: TenantId, model: ModelId, request: IdempotentRequest, folder: Path
    ) -> LoggedModelRecord | None:
        """The LoggedModel that carries the operation's id, its files in ``folder`` instead of what
        is there; or None. Anybody can set that tag: nothing is registered from this alone. Raises
        :class:`OperationConflict` if the operation logged a model for another request."""
        experiment = await self.experiment(tenant, model)
        logged = await self._stores.tracking.find_logged_model(experiment, request.operation_id)
        if logged is None:
            return None
        if logged.tags.get(tags.REQUEST, request.fingerprint) != request.fingerprint:
            raise OperationConflict(request.operation_id)
        shutil.rmtree(folder)
        await self._download(logged.artifact_uri, folder)
        return logged

    async def _download(self, uri: str, folder: Path) -> None:
        """The files below ``uri``, as the registry stores them; MLflow fetches others."""
        artifacts = self._stores.artifacts
        path = artifacts.path_of(uri)
        if path is None:
            await self._stores.tracking.download(uri, folder)
        else:
            await artifacts.get_folder(path, folder)

    async def begin_run(
        self, tenant: TenantId, model: ModelId, plan: RegistrationPlan, request: IdempotentRequest
    ) -> str:
        """The id of a new run of the tenant, in the model's experiment."""
        return await self._stores.tracking.create_run(
            await self.experiment(tenant, model),
            name=f"{model} {plan.framework}",
            tags=_made_by(plan, request),
        )

    async def find_run(
        self, tenant: TenantId, model: ModelId, request: IdempotentRequest
    ) -> str | None:
        """The id of the run that carries the operation's id as a tag, which anybody can set; or
        None. A run of another request is finished: it logged no model, and had other metrics."""
        experiment = await self.experiment(tenant, model)
        run = await self._stores.tracking.find_run(experiment, request.operation_id)
        if run is None:
            return None
        if run.tags.get(tags.REQUEST, request.fingerprint) == request.fingerprint:
            return run.run_id
        await self._stores.tracking.finish_run(run.run_id, "FAILED")
        return None

    async def experiment(self, tenant: TenantId, model: ModelId) -> str:
        location = self._stores.artifacts.uri(artifact_paths.runs(tenant))
        return await self._stores.tracking.ensure_experiment(tenant, model, location)

    async def own_run(self, tenant: TenantId, run_id: str) -> RunRecord:
        """The tenant's run. Raises :class:`RunNotFound`, also for a run of another tenant."""
        run = await self._stores.tracking.run(run_id)
        own = {item.experiment_id for item in await self._stores.tracking.experiments(tenant)}
        if run is None or run.experiment_id not in own:
            raise RunNotFound(run_id)
        return run

    async def _keep_records(
        self, tenant: TenantId, run: str, plan: RegistrationPlan, log: str | None, *, new: bool
    ) -> None:
        """Training log and metrics history at their paths in the artifact store."""
        artifacts = self._stores.artifacts
        if log is not None:
            path = f"{artifact_paths.training_logs(tenant, run)}/{artifact_paths.TRAINING_LOG}"
            await artifacts.put_bytes(path, log.encode())
        if new:
            history = {
                name: [{"step": 0, "value": value, "at": plan.created_at}]
                for name, value in plan.metrics.items()
            }
        else:
            history = {
                name: [
                    {
                        "step": point.step,
                        # JSON has no NaN and no infinity.
                        "value": point.value if math.isfinite(point.value) else None,
                        "at": timestamp(point.at),
                    }
                    for point in points
                ]
                for name, points in (await self._stores.tracking.metric_history(run)).items()
            }
        path = f"{artifact_paths.metrics_history(tenant, run)}/history.json"
        await artifacts.put_bytes(path, json.dumps(history, sort_keys=True).encode())


def _made_by(plan: RegistrationPlan, request: IdempotentRequest) -> dict[str, str]:
    """The tags that tell which request a run or a LoggedModel belongs to."""
    return {
        tags.OPERATION_ID: request.operation_id,
        tags.REQUEST: request.fingerprint,
        tags.CREATED_BY: plan.created_by,
    }
