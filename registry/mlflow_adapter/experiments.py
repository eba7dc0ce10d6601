"""Experiments: one a model of a tenant."""

from __future__ import annotations

from typing import Any

from ..domain.errors import AlreadyExists, NotFound
from ..domain.identifiers import ModelId, TenantId, experiment_name, experiment_prefix
from . import filter_strings
from .executor import ConnectionUser
from .pagination import all_pages
from .records import ExperimentRecord
from .timestamps import when

_PAGE = 1000


class Experiments(ConnectionUser):
    async def ensure_experiment(
        self, tenant: TenantId, model: ModelId, artifact_location: str
    ) -> str:
        """Id of the model's experiment, created if it is not there. Of concurrent creators one
        creates, and all get the same id. Raises AlreadyExists for one deleted in MLflow."""
        name = experiment_name(tenant, model)
        experiment = await self._find(name)
        if experiment is None:
            try:
                return await self._connection.call(
                    lambda stores: str(stores.tracking.create_experiment(name, artifact_location))
                )
            except AlreadyExists:
                experiment = await self._find(name)
                if experiment is None:
                    raise
        return experiment

    async def experiments(self, tenant: TenantId) -> list[ExperimentRecord]:
        """The tenant's experiments, by name."""
        prefix = experiment_prefix(tenant)
        experiments = await all_pages(
            self._connection.call,
            lambda stores, token: stores.tracking.search_experiments(
                filter_string=filter_strings.experiments_of(tenant),
                max_results=_PAGE,
                order_by=["name ASC"],
                page_token=token,
            ),
        )
        return [_record(item, prefix) for item in experiments if item.name.startswith(prefix)]

    async def experiment(self, tenant: TenantId, experiment_id: str) -> ExperimentRecord | None:
        """The tenant's experiment with this id; None if it has none, or deleted it."""
        if not filter_strings.is_experiment_id(experiment_id):
            return None
        prefix = experiment_prefix(tenant)
        try:
            item = await self._connection.call(
                lambda stores: stores.tracking.get_experiment(experiment_id)
            )
        except NotFound:
            return None
        if item.lifecycle_stage != "active" or not item.name.startswith(prefix):
            return None
        return _record(item, prefix)

    async def _find(self, name: str) -> str | None:
        response = await self._connection.call(
            lambda stores: stores.tracking.get_experiment_by_name(name)
        )
        if response is None:
            return None
        if response.lifecycle_stage != "active":
            raise AlreadyExists(
                f"experiment {name!r} was deleted in MLflow; restore it with "
                f"`mlflow experiments restore --experiment-id {response.experiment_id}`"
            )
        return str(response.experiment_id)


def _record(experiment: Any, prefix: str) -> ExperimentRecord:
    return ExperimentRecord(
        experiment_id=str(experiment.experiment_id),
        name=experiment.name,
        model_id=experiment.name.removeprefix(prefix),
        artifact_location=experiment.artifact_location,
        created_at=when(experiment.creation_time),
    )
