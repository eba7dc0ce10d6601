"""Model versions. MLflow gives their numbers; their stages are the ledger's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..rules.errors import ArtifactNotFound, InvalidInput, ModelNotFound, NotFound, VersionNotFound
from ..rules.tenancy import version_number
from . import filters
from .connection import Connection
from .paging import all_pages
from .records import ModelVersionRecord
from .stores import Stores
from .tags import LOGGED_MODEL_ID, OPERATION_ID, with_operation_key
from .times import when

_PAGE = 1000
_LOGGED_MODEL_SOURCE = "models:/"


class ModelVersions:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create_model_version(
        self,
        name: str,
        *,
        source: str,
        run_id: str | None,
        logged_model_id: str | None,
        tags: Mapping[str, str],
        description: str,
    ) -> int:
        """Number of a new version. Sent once: after a lost answer, look with
        :meth:`find_model_version` before trying again. Raises ModelNotFound, and ArtifactNotFound
        for a ``models:/m-…`` that is not there."""
        filters.checked_name(name)
        if logged_model_id is not None and not filters.is_logged_model_id(logged_model_id):
            raise InvalidInput(
                f"logged model id {logged_model_id!r:.80} is not valid; it is 'm-' and 32 "
                "hexadecimal digits",
                field="logged_model_id",
            )
        labels = with_operation_key(dict(tags))
        if logged_model_id is not None:
            labels[LOGGED_MODEL_ID] = logged_model_id

        folder = await self._folder_of(source)

        def create(stores: Stores) -> int:
            from mlflow.entities.model_registry import ModelVersionTag

            version = stores.registry.create_model_version(
                name,
                # On a database MLflow would look `models:/m-…` up at the process's global
                # tracking address instead of in this store. A server does it right.
                source if stores.served else folder,
                run_id,
                [ModelVersionTag(key, value) for key, value in labels.items()],
                None,
                description,
                model_id=logged_model_id if stores.served else None,
            )
            if logged_model_id is not None and not stores.served:
                stores.tracking.set_model_versions_tags(name, version.version, logged_model_id)
            return int(version.version)

        return await self._connection.call(create, missing=ModelNotFound(name))

    async def find_model_version(self, name: str, operation_id: str) -> int | None:
        """The version that the operation made, the first if there are several; or None."""
        found = await self._search(f"{filters.named(name)} AND {filters.made_by(operation_id)}")
        numbers = [item.version for item in found if item.tags.get(OPERATION_ID) == operation_id]
        return min(numbers, default=None)

    async def model_versions(self, name: str) -> list[ModelVersionRecord]:
        """Every version that was not deleted, ascending; empty for a model that is not there."""
        return await self._search(filters.named(name))

    async def model_version(self, name: str, version: int) -> ModelVersionRecord | None:
        """One version, or None."""
        filters.checked_name(name)
        number = str(version_number(version))
        try:
            return await self._connection.call(
                lambda stores: _record(stores.registry.get_model_version(name, number))
            )
        except NotFound:
            return None

    async def set_version_tags(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        """Set these tags and leave others. Raises VersionNotFound."""
        filters.checked_name(name)
        number = str(version_number(version))

        def set_tag(stores: Stores, key: str, value: str) -> None:
            from mlflow.entities.model_registry import ModelVersionTag

            stores.registry.set_model_version_tag(name, number, ModelVersionTag(key, value))

        for key, value in tags.items():
            await self._connection.call(
                lambda stores, key=key, value=value: set_tag(stores, key, value),  # type: ignore[misc]
                missing=VersionNotFound(name, version),
            )

    async def delete_version(self, name: str, version: int) -> None:
        """Delete a version; one that is not there is fine. Its number is not given again."""
        filters.checked_name(name)
        number = str(version_number(version))
        try:
            await self._connection.call(
                lambda stores: stores.registry.delete_model_version(name, number)
            )
        except NotFound:
            return

    async def _folder_of(self, source: str) -> str:
        """The folder behind ``models:/m-…``; any other source as it is."""
        model_id = source.removeprefix(_LOGGED_MODEL_SOURCE)
        if not filters.is_logged_model_id(model_id):
            return source
        return await self._connection.call(
            lambda stores: str(stores.tracking.get_logged_model(model_id).artifact_location),
            missing=ArtifactNotFound(source),
        )

    async def _search(self, condition: str) -> list[ModelVersionRecord]:
        found = await all_pages(
            self._connection,
            lambda stores, token: stores.registry.search_model_versions(
                filter_string=condition,
                max_results=_PAGE,
                order_by=["version_number ASC"],
                page_token=token,
            ),
        )
        return sorted((_record(item) for item in found), key=lambda item: item.version)


def _record(version: Any) -> ModelVersionRecord:
    tags = dict(version.tags)
    from_source = version.source.removeprefix(_LOGGED_MODEL_SOURCE)
    derived = from_source if filters.is_logged_model_id(from_source) else None
    return ModelVersionRecord(
        name=version.name,
        version=int(version.version),
        source=version.source,
        run_id=version.run_id or None,
        logged_model_id=tags.get(LOGGED_MODEL_ID) or getattr(version, "model_id", None) or derived,
        tags=tags,
        created_at=when(version.creation_timestamp),
        status=str(version.status),
    )
