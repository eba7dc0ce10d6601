"""Runs and experiments of a tenant, as MLflow keeps them. A foreign run is "not found"."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ..domain import identifiers
from ..domain.errors import ExperimentNotFound, InvalidInput, RunNotFound
from ..domain.identifiers import TenantId
from ..domain.models import timestamp
from ..domain.validation import finite_metrics
from ..mlflow_adapter.records import ExperimentRecord, RunRecord
from .backends import Backends
from .registration.run_logging import Training

MAX_RUNS = 500
#: Seconds for which a tenant's experiments are remembered: so long may runs of an experiment that
#: was moved to another tenant in MLflow still be compared by the one that had it.
_REMEMBERED = 30.0
_MOST_TENANTS = 1000


class Experiments:
    def __init__(self, stores: Backends, training: Training) -> None:
        self._tracking = stores.tracking
        self._training = training
        self._experiments: dict[TenantId, tuple[float, list[str]]] = {}

    async def log_training_metrics(
        self, tenant_id: str, run_id: str, step: int, metrics: Mapping[str, Any]
    ) -> None:
        """Log metrics of a training run of the tenant at a step. Raises RunNotFound."""
        tenant = identifiers.tenant_id(tenant_id)
        if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step < 2**53:
            raise InvalidInput("step must be a whole number from 0", field="step")
        checked = finite_metrics(metrics)
        run = await self._training.own_run(tenant, run_id)
        await self._tracking.log_metrics(run.run_id, step, checked)

    async def compare_runs(
        self, tenant_id: str, run_ids: Sequence[str], metrics: Sequence[str]
    ) -> list[dict[str, Any]]:
        """The runs' metrics side by side, in the order asked for, from one search; a metric that
        a run has not is None. Raises RunNotFound for the first run that is not the tenant's."""
        tenant = identifiers.tenant_id(tenant_id)
        for name, values in (("run_ids", run_ids), ("metrics", metrics)):
            if not isinstance(values, list | tuple) or not all(
                isinstance(value, str) for value in values
            ):
                raise InvalidInput(f"{name} must be a list of names", field=name)
        if not 1 <= len(run_ids) <= MAX_RUNS:
            raise InvalidInput(f"compare 1 to {MAX_RUNS} runs at a time", field="run_ids")
        runs = await self._own_runs(tenant, run_ids)
        for run_id in run_ids:
            if run_id not in runs:
                raise RunNotFound(run_id)
        return [_compared(runs[run_id], metrics) for run_id in run_ids]

    async def _own_runs(self, tenant: TenantId, run_ids: Sequence[str]) -> dict[str, RunRecord]:
        """The runs that belong to the tenant's experiments, by id. If one is missing, the
        experiments are asked for again: it may lie in a new one."""
        unique_ids = list(dict.fromkeys(run_ids))
        until, experiments = self._experiments.get(tenant, (0.0, []))
        runs: dict[str, RunRecord] = {}
        if time.monotonic() < until:
            records = await self._tracking.search_runs(experiments, run_ids=unique_ids)
            runs = {run.run_id: run for run in records}
        if len(runs) < len(unique_ids):
            experiments = await self._experiment_ids(tenant)
            missing = [run_id for run_id in unique_ids if run_id not in runs]
            records = await self._tracking.search_runs(experiments, run_ids=missing)
            runs.update((run.run_id, run) for run in records)
        return runs

    async def _experiment_ids(self, tenant: TenantId) -> list[str]:
        """Ids of the tenant's experiments as MLflow has them now, to be remembered."""
        ids = [item.experiment_id for item in await self._tracking.experiments(tenant)]
        if len(self._experiments) >= _MOST_TENANTS:
            self._experiments.clear()
        self._experiments[tenant] = (time.monotonic() + _REMEMBERED, ids)
        return ids

    async def list_experiments(
        self, tenant_id: str, *, after: str = "", limit: int | None = None
    ) -> list[ExperimentRecord]:
        """The tenant's experiments by name, one a model: at most ``limit`` after the name
        ``after``; all without."""
        # MLflow compares no names by order: the tenant's are read, one a model, and cut here.
        experiments = await self._tracking.experiments(identifiers.tenant_id(tenant_id))
        names = sorted(experiments, key=lambda item: item.name)
        return [item for item in names if item.name > after][:limit]

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
        tenant = identifiers.tenant_id(tenant_id)
        if await self._tracking.experiment(tenant, experiment_id) is None:
            raise ExperimentNotFound(experiment_id)
        return await self._tracking.list_runs(experiment_id, after=after, limit=limit)


def _compared(run: RunRecord, metrics: Sequence[str]) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "experiment_id": run.experiment_id,
        "name": run.name,
        "status": run.status,
        "started_at": timestamp(run.started_at) if run.started_at else None,
        "metrics": {name: run.metrics.get(name) for name in metrics},
        "parameters": dict(run.parameters),
    }
