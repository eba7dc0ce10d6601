"""MLflow's model registry on a database, through MLflow's own stores in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .records import ModelVersionRecord, RegisteredModelRecord
from .registry_protocol import Page, version_record


class DatabaseRegistry:
    """A :class:`RegistryStore` on MLflow's SQLAlchemy stores."""

    def __init__(self, registry: Any, tracking: Any) -> None:
        self._registry = registry
        self._tracking = tracking

    def create_registered_model(self, name: str, tags: Mapping[str, str], description: str) -> None:
        from mlflow.entities.model_registry import RegisteredModelTag

        labels = [RegisteredModelTag(key, value) for key, value in tags.items()]
        self._registry.create_registered_model(name, labels, description)

    def search_registered_models(
        self, condition: str, max_results: int, token: str | None
    ) -> Page[RegisteredModelRecord]:
        page = self._registry.search_registered_models(
            filter_string=condition,
            max_results=max_results,
            order_by=["name ASC"],
            page_token=token,
        )
        return Page(map(_model, page), page.token)

    def set_registered_model_tag(self, name: str, key: str, value: str) -> None:
        from mlflow.entities.model_registry import RegisteredModelTag

        self._registry.set_registered_model_tag(name, RegisteredModelTag(key, value))

    def set_registered_model_alias(self, name: str, alias: str, version: int) -> None:
        self._registry.set_registered_model_alias(name, alias, str(version))

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        self._registry.delete_registered_model_alias(name, alias)

    def source_of(self, logged_model_id: str) -> str:
        """The model's folder: MLflow would look ``models:/m-…`` up at the process's global
        tracking address instead of in this store."""
        return str(self._tracking.get_logged_model(logged_model_id).artifact_location)

    def create_model_version(
        self,
        name: str,
        *,
        source: str,
        run_id: str | None,
        logged_model_id: str | None,
        tags: Mapping[str, str],
        description: str,
    ) -> int:
        from mlflow.entities.model_registry import ModelVersionTag

        labels = [ModelVersionTag(key, value) for key, value in tags.items()]
        made = self._registry.create_model_version(name, source, run_id, labels, None, description)
        if logged_model_id is not None:
            self._tracking.set_model_versions_tags(name, made.version, logged_model_id)
        return int(made.version)

    def model_version(self, name: str, version: int) -> ModelVersionRecord:
        return _version(self._registry.get_model_version(name, str(version)))

    def search_model_versions(
        self, condition: str, max_results: int, token: str | None
    ) -> Page[ModelVersionRecord]:
        page = self._registry.search_model_versions(
            filter_string=condition,
            max_results=max_results,
            order_by=["version_number ASC"],
            page_token=token,
        )
        return Page(map(_version, page), page.token)

    def newest_model_version(self, condition: str) -> ModelVersionRecord | None:
        versions = self._registry.search_model_versions(
            filter_string=condition, max_results=1, order_by=["version_number DESC"]
        )
        return _version(versions[0]) if versions else None

    def set_model_version_tag(self, name: str, version: int, key: str, value: str) -> None:
        from mlflow.entities.model_registry import ModelVersionTag

        self._registry.set_model_version_tag(name, str(version), ModelVersionTag(key, value))

    def delete_model_version(self, name: str, version: int) -> None:
        self._registry.delete_model_version(name, str(version))

    def ping(self) -> None:
        self._tracking.search_experiments(max_results=1)
        self._registry.search_registered_models(max_results=1)

    def close(self) -> None:
        self._tracking._dispose_engine()
        self._registry._dispose_engine()


def _model(model: Any) -> RegisteredModelRecord:
    return RegisteredModelRecord(
        name=model.name,
        aliases={alias: int(version) for alias, version in model.aliases.items()},
        tags=dict(model.tags),
    )


def _version(version: Any) -> ModelVersionRecord:
    return version_record(
        name=version.name,
        version=version.version,
        source=version.source,
        run_id=version.run_id,
        logged_model_id=getattr(version, "model_id", None),
        tags=dict(version.tags),
        created_millis=version.creation_timestamp,
        status=str(version.status),
        aliases=version.aliases,
    )
