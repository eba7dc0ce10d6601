"""``MlflowTracking``: everything the registry asks of MLflow, behind one object."""

from __future__ import annotations

from .executor import Connection
from .experiments import Experiments
from .logged_models import LoggedModels
from .model_versions import ModelVersions
from .registered_models import RegisteredModels
from .runs import Runs


class MlflowTracking:
    """MLflow at ``tracking_uri``: a server (http, https) or a database (sqlite, postgresql).

    Constructing it does no I/O. MLflow is not imported then, and behind a server only by what asks
    for experiments, runs or LoggedModels. Every call is sent once, in a thread,
    at most ``max_concurrency`` at a time (an MLflow server's pools are small), within
    ``call_timeout`` seconds, or ``transfer_timeout`` for files. All methods raise
    BackendUnavailable when MLflow does not answer; nothing of MLflow's own error classes gets out.
    The methods' contracts are written where they are defined, one module a kind of object.
    """

    def __init__(
        self,
        tracking_uri: str,
        *,
        call_timeout: float,
        transfer_timeout: float,
        max_concurrency: int = 8,
    ) -> None:
        connection = Connection(
            tracking_uri,
            call_timeout=call_timeout,
            transfer_timeout=transfer_timeout,
            max_concurrency=max_concurrency,
        )
        self._connection = connection
        self.close = connection.close

        experiments = Experiments(connection)
        self.ensure_experiment = experiments.ensure_experiment
        self.experiments = experiments.experiments
        self.experiment = experiments.experiment

        runs = Runs(connection)
        self.create_run = runs.create_run
        self.find_run = runs.find_run
        self.log_run = runs.log_run
        self.log_metrics = runs.log_metrics
        self.finish_run = runs.finish_run
        self.run = runs.run
        self.search_runs = runs.search_runs
        self.list_runs = runs.list_runs
        self.metric_history = runs.metric_history

        logged_models = LoggedModels(connection)
        self.log_model_folder = logged_models.log_model_folder
        self.logged_model = logged_models.logged_model
        self.logged_model_folder = logged_models.logged_model_folder
        self.find_logged_model = logged_models.find_logged_model
        self.logged_models_of_run = logged_models.logged_models_of_run
        self.download = logged_models.download

        models = RegisteredModels(connection)
        self.ensure_registered_model = models.ensure_registered_model
        self.set_registered_model_tags = models.set_registered_model_tags
        self.registered_models = models.registered_models
        self.registered_model = models.registered_model
        self.set_alias = models.set_alias
        self.delete_alias = models.delete_alias

        versions = ModelVersions(connection)
        self.create_model_version = versions.create_model_version
        self.versions_tagged = versions.versions_tagged
        self.newest_version = versions.newest_version
        self.accepts_source = versions.accepts_source
        self.model_versions = versions.model_versions
        self.model_version = versions.model_version
        self.set_version_tags = versions.set_version_tags
        self.delete_version = versions.delete_version

    async def ping(self) -> None:
        """Raise BackendUnavailable unless both of MLflow's stores answer a small query."""
        await self._connection.call_registry(lambda registry: registry.ping())
