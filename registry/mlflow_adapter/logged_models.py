"""LoggedModels: a model's files with their lineage, as MLflow 3 keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ..domain.errors import InvalidInput, NotFound
from . import filter_strings
from .artifact_transfer import download_folder, upload_folder
from .executor import ConnectionUser
from .factory import MlflowStores
from .pagination import all_pages
from .records import LoggedModelRecord
from .tags import FRAMEWORK, OPERATION_ID, with_operation_key

_READY = "READY"


class Uploads(Protocol):
    """The part of an artifact store that takes a folder."""

    def path_of(self, uri: str) -> str | None:
        """Path under the store's root, None when ``uri`` lies elsewhere."""

    async def put_folder(self, path: str, folder: Path) -> Any:
        """Store the files of ``folder`` under ``path``."""


class LoggedModels(ConnectionUser):
    async def log_model_folder(
        self,
        experiment_id: str,
        *,
        name: str,
        folder: Path,
        run_id: str | None,
        framework: str,
        tags: Mapping[str, str],
        parameters: Mapping[str, str],
        artifacts: Uploads | None = None,
        model_type: str | None = None,
    ) -> LoggedModelRecord:
        """Log the MLflow model in ``folder`` as a LoggedModel that is READY.

        The run and model ids are written into the folder's ``MLmodel`` first, so that the folder
        is afterwards what was stored. Files go through ``artifacts`` where they belong under its
        root, else through MLflow. A model whose upload failed stays PENDING and is never found.
        """
        if not (folder / "MLmodel").is_file():
            raise InvalidInput(f"{folder.name!r:.80} holds no MLmodel file", field="folder")
        labels = with_operation_key({**tags, FRAMEWORK: framework})

        def create(stores: MlflowStores) -> Any:
            from mlflow.entities import LoggedModelParameter, LoggedModelTag

            return stores.tracking.create_logged_model(
                experiment_id=experiment_id,
                name=_allowed_name(name),
                source_run_id=run_id,
                tags=[LoggedModelTag(key, value) for key, value in labels.items()],
                params=[LoggedModelParameter(key, value) for key, value in parameters.items()],
                model_type=model_type,
            )

        model = await self._connection.call(create)
        await self._connection.transfer(lambda stores: _write_ids(folder, model, run_id))
        path = artifacts.path_of(model.artifact_location) if artifacts else None
        if artifacts is not None and path is not None:
            await artifacts.put_folder(path, folder)
        else:
            await self._connection.transfer(
                lambda stores: upload_folder(stores, model.artifact_location, folder)
            )
        if run_id is not None:
            await self._connection.call(lambda stores: _link(stores, run_id, model.model_id))
        return await self._connection.call(lambda stores: _finalize(stores, model.model_id))

    async def logged_model(self, model_id: str) -> LoggedModelRecord | None:
        """The LoggedModel with this id (``m-…``), or None."""
        if not filter_strings.is_logged_model_id(model_id):
            return None
        try:
            return await self._connection.call(
                lambda stores: _record(stores.tracking.get_logged_model(model_id))
            )
        except NotFound:
            return None

    async def find_logged_model(
        self, experiment_id: str, operation_id: str
    ) -> LoggedModelRecord | None:
        """The newest READY LoggedModel that the operation made in the experiment, or None."""
        models = await all_pages(
            self._connection.call,
            lambda stores, token: stores.tracking.search_logged_models(
                [experiment_id], filter_strings.made_by(operation_id), page_token=token
            ),
        )
        for record in sorted(models, key=lambda item: -item.creation_timestamp):
            model = _record(record)
            if model.status == _READY and model.tags.get(OPERATION_ID) == operation_id:
                return model
        return None

    async def logged_models_of_run(
        self, experiment_id: str, run_id: str
    ) -> list[LoggedModelRecord]:
        """The LoggedModels that the run made, newest first."""
        if not filter_strings.is_run_id(run_id):
            return []
        models = await all_pages(
            self._connection.call,
            lambda stores, token: stores.tracking.search_logged_models(
                [experiment_id], filter_strings.of_run(run_id), page_token=token
            ),
        )
        return [_record(item) for item in sorted(models, key=lambda item: -item.creation_timestamp)]

    async def download(self, artifact_uri: str, folder: Path) -> None:
        """Copy the files below ``artifact_uri`` into ``folder``. Raises ArtifactNotFound."""
        await self._connection.transfer(
            lambda stores: download_folder(stores, artifact_uri, folder)
        )


def _allowed_name(name: str) -> str:
    """MLflow allows dots in the names of registered models, but not of LoggedModels."""
    return name.replace(".", "_")


def _write_ids(folder: Path, model: Any, run_id: str | None) -> None:
    from mlflow.models import Model

    description = Model.load(str(folder / "MLmodel"))
    description.run_id = run_id
    description.model_id = model.model_id
    description.model_uuid = model.model_id
    description.artifact_path = model.artifact_location
    description.save(str(folder / "MLmodel"))


def _link(stores: MlflowStores, run_id: str, model_id: str) -> None:
    """Show the model among the outputs of its run, as MLflow's own ``log_model`` does."""
    from mlflow.entities import LoggedModelOutput

    stores.tracking.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])


def _finalize(stores: MlflowStores, model_id: str) -> LoggedModelRecord:
    from mlflow.entities import LoggedModelStatus

    return _record(stores.tracking.finalize_logged_model(model_id, LoggedModelStatus.READY))


def _record(model: Any) -> LoggedModelRecord:
    return LoggedModelRecord(
        model_id=model.model_id,
        name=model.name,
        experiment_id=str(model.experiment_id),
        run_id=model.source_run_id or None,
        artifact_uri=model.artifact_location,
        status=str(getattr(model.status, "value", model.status)),
        tags=dict(model.tags or {}),
        parameters=dict(model.params or {}),
    )
