"""Sources of a version: a LoggedModel or a run of the same tenant, nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...domain import artifact_paths
from ...domain.errors import ArtifactNotFound, InvalidInput, RunNotFound
from ...domain.identifiers import TenantId
from ...mlflow_adapter import tags
from ...mlflow_adapter.records import LoggedModelRecord, ModelVersionRecord, RunRecord
from ..backends import Backends
from ..projection.identity import is_own_bundle, logged_model_of
from .run_logging import Training

_LOGGED_MODEL = re.compile(r"models:/(m-[0-9a-f]{32})", re.ASCII)
_RUN = re.compile(r"runs:/([0-9a-f]{32})/([^\x00-\x1f\x7f\\]{1,500})", re.ASCII)


@dataclass(frozen=True)
class Source:
    """A model folder of the tenant. ``uri`` is the version's source in MLflow, ``path`` the
    folder's path in the artifact store."""

    uri: str
    path: str
    run: RunRecord | None
    logged: LoggedModelRecord | None

    @property
    def origin(self) -> dict[str, str]:
        """Ids of this source that MLflow assigned, not names that can be reused."""
        return {
            "uri": self.uri,
            "path": self.path,
            **({"run_id": self.run.run_id} if self.run else {}),
            **({"logged_model_id": self.logged.model_id} if self.logged else {}),
        }

    @property
    def dataset(self) -> Mapping[str, Any]:
        """The training data that was named when the model was logged; else empty."""
        try:
            dataset_document = json.loads(self.logged.tags[tags.DATASET]) if self.logged else {}
        except (KeyError, ValueError):
            return {}
        return dataset_document if isinstance(dataset_document, Mapping) else {}


class Sources:
    def __init__(self, stores: Backends, training: Training) -> None:
        self._stores = stores
        self._training = training

    async def resolve(self, tenant: TenantId, source: Any) -> Source:
        """The tenant's source. Raises InvalidInput for an address of another form, and NotFound,
        in the same words, for one that does not exist or is another tenant's."""
        text = source if isinstance(source, str) else ""
        if match := _LOGGED_MODEL.fullmatch(text):
            return await self._logged_model(tenant, text, match[1])
        if match := _RUN.fullmatch(text):
            return await self._run_artifact(tenant, text, match[1], match[2].rstrip("/"))
        raise InvalidInput(
            f"source {source!r:.120} is not valid: use models:/m-<id> or runs:/<run id>/<path>",
            field="source",
        )

    async def of_logged(self, tenant: TenantId, logged: LoggedModelRecord) -> Source:
        """The source that a LoggedModel is, if its files lie where the tenant's have to."""
        path = self._path(tenant, logged.artifact_uri)
        run = await self._stores.tracking.run(logged.run_id) if logged.run_id else None
        return Source(f"models:/{logged.model_id}", path, run, logged)

    async def of_origin(self, tenant: TenantId, origin: Mapping[str, str]) -> Source:
        """The source that a registration recorded as its :attr:`Source.origin`. Raises as
        :meth:`resolve` does."""
        if "logged_model_id" in origin:
            return await self.resolve(tenant, f"models:/{origin['logged_model_id']}")
        run = await self._training.own_run(tenant, origin["run_id"])
        return Source(origin["uri"], origin["path"], run, None)

    async def of_version(self, tenant: TenantId, version: ModelVersionRecord) -> Source:
        """The source of a version that somebody registered in MLflow: MLflow keeps the
        address that was given, or the folder it led to. Raises as :meth:`resolve` does."""
        path = self._stores.artifacts.path_of(version.source)
        own = is_own_bundle(tenant, version, self._stores.artifacts)
        # Anybody can set a tag: it tells the lineage of a bundle, and nothing about other files.
        tagged = version.logged_model_id if own else None
        logged = logged_model_of(tenant, version, self._stores.artifacts) or tagged
        if logged is not None:
            return await self.resolve(tenant, f"models:/{logged}")
        if not own and (path is None or not path.startswith(f"{artifact_paths.runs(tenant)}/")):
            return await self.resolve(tenant, version.source)
        assert path is not None
        run = await self._training.own_run(tenant, version.run_id) if version.run_id else None
        return Source(self._stores.artifacts.uri(path), path, run, None)

    def _path(self, tenant: TenantId, uri: str) -> str:
        path = self._stores.artifacts.path_of(uri)
        if path is None or not path.startswith(f"{artifact_paths.runs(tenant)}/"):
            raise InvalidInput(
                "the files of this model are not in the tenant's folder of the artifact store; "
                "log it to an experiment made by the registry",
                field="source",
            )
        return path

    async def _logged_model(self, tenant: TenantId, text: str, logged_id: str) -> Source:
        logged = await self._stores.tracking.logged_model(logged_id)
        own = {item.experiment_id for item in await self._stores.tracking.experiments(tenant)}
        if logged is None or logged.experiment_id not in own:
            raise ArtifactNotFound(text)
        if logged.status != "READY":
            raise InvalidInput(
                f"{text} is {logged.status}, not READY: its upload did not finish", field="source"
            )
        return await self.of_logged(tenant, logged)

    async def _run_artifact(self, tenant: TenantId, text: str, run_id: str, name: str) -> Source:
        try:
            run = await self._training.own_run(tenant, run_id)
        except RunNotFound:
            raise ArtifactNotFound(text) from None
        for logged in await self._stores.tracking.logged_models_of_run(run.experiment_id, run_id):
            if logged.name == name and logged.status == "READY":
                return await self.of_logged(tenant, logged)
        root = self._stores.artifacts.path_of(run.artifact_uri)
        if root is None or not root.startswith(f"{artifact_paths.runs(tenant)}/"):
            raise ArtifactNotFound(text)
        path = f"{root}/{name}"
        if not any(
            item.path == f"{path}/MLmodel" for item in await self._stores.artifacts.files(path)
        ):
            raise ArtifactNotFound(text)
        return Source(self._stores.artifacts.uri(path), path, run, None)
