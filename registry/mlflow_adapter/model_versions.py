"""Model versions. MLflow gives their numbers; their stages are the ledger's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ..domain.errors import ArtifactNotFound, InvalidInput, ModelNotFound, NotFound, VersionNotFound
from ..domain.identifiers import version_number
from . import filter_strings
from .executor import ConnectionUser
from .factory import is_served
from .pagination import all_pages
from .records import ModelVersionRecord
from .registry_protocol import LOGGED_MODEL_SOURCE, RegistryStore
from .retry import again_if_raced
from .tags import LOGGED_MODEL_ID, OPERATION_ID, with_operation_key

_PAGE = 1000


class ModelVersions(ConnectionUser):
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
        :meth:`versions_tagged` before trying again. Raises ModelNotFound, and ArtifactNotFound
        for a ``models:/m-…`` that is not there."""
        filter_strings.checked_name(name)
        if logged_model_id is not None and not filter_strings.is_logged_model_id(logged_model_id):
            raise InvalidInput(
                f"logged model id {logged_model_id!r:.80} is not valid; it is 'm-' and 32 "
                "hexadecimal digits",
                field="logged_model_id",
            )
        labels = with_operation_key(dict(tags))
        if logged_model_id is not None:
            labels[LOGGED_MODEL_ID] = logged_model_id
        address = await self._address_of(source)
        return await self._connection.call_registry(
            lambda registry: registry.create_model_version(
                name,
                source=address,
                run_id=run_id,
                logged_model_id=logged_model_id,
                tags=labels,
                description=description,
            ),
            missing=ModelNotFound(name),
        )

    async def versions_tagged(self, name: str, operation_id: str) -> list[ModelVersionRecord]:
        """The versions that carry the operation's id as a tag, ascending. Anybody can set a tag:
        whether the operation made them, their source has to show."""
        versions = await self._search_versions(
            f"{filter_strings.named(name)} AND {filter_strings.made_by(operation_id)}"
        )
        return [item for item in versions if item.tags.get(OPERATION_ID) == operation_id]

    async def newest_version(self, name: str) -> int:
        """The highest number of a version that was not deleted; 0 if there is none."""
        condition = filter_strings.named(name)
        newest = await self._connection.call_registry(
            lambda registry: registry.newest_model_version(condition)
        )
        return newest.version if newest else 0

    def accepts_source(self, uri: str) -> bool:
        """Whether MLflow takes a version whose files are at ``uri``. A server refuses folders of
        the file system, for they would be its own host's."""
        return not (is_served(self._connection.uri) and uri.startswith("file:"))

    async def model_versions(self, name: str) -> list[ModelVersionRecord]:
        """Every version that was not deleted, ascending; empty for a model that is not there."""
        return await self._search_versions(filter_strings.named(name))

    async def model_version(self, name: str, version: int) -> ModelVersionRecord | None:
        """One version, or None."""
        filter_strings.checked_name(name)
        number = version_number(version)
        try:
            return await self._connection.call_registry(
                lambda registry: registry.model_version(name, number)
            )
        except NotFound:
            return None

    async def set_version_tags(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        """Set these tags and leave others. Raises VersionNotFound."""
        filter_strings.checked_name(name)
        number = version_number(version)

        def set_tag(registry: RegistryStore, key: str, value: str) -> None:
            again_if_raced(lambda: registry.set_model_version_tag(name, number, key, value))

        for key, value in tags.items():
            await self._connection.call_registry(
                partial(set_tag, key=key, value=value),
                missing=VersionNotFound(name, version),
            )

    async def delete_version(self, name: str, version: int) -> None:
        """Delete a version; one that is not there is fine. Its number is not given again."""
        filter_strings.checked_name(name)
        number = version_number(version)
        try:
            await self._connection.call_registry(
                lambda registry: registry.delete_model_version(name, number)
            )
        except NotFound:
            return

    async def _address_of(self, source: str) -> str:
        """The source that MLflow gets: for a LoggedModel, in the form that its store expects."""
        model_id = source.removeprefix(LOGGED_MODEL_SOURCE)
        if not filter_strings.is_logged_model_id(model_id):
            return source
        return await self._connection.call_registry(
            lambda registry: registry.source_of(model_id), missing=ArtifactNotFound(source)
        )

    async def _search_versions(self, condition: str) -> list[ModelVersionRecord]:
        versions = await all_pages(
            self._connection.call_registry,
            lambda registry, token: registry.search_model_versions(condition, _PAGE, token),
        )
        return sorted(versions, key=lambda item: item.version)
