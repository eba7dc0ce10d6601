"""Registered models: names, tags and aliases. An alias here only mirrors the ledger."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import partial

from ..domain.errors import AlreadyExists, ModelNotFound, NotFound, VersionNotFound
from ..domain.identifiers import TenantId, split_registered_name
from . import filter_strings
from .executor import ConnectionUser
from .pagination import all_pages
from .records import RegisteredModelRecord
from .registry_protocol import RegistryStore
from .retry import again_if_raced
from .tags import REGISTRY_ID

_PAGE = 1000
_MARKER = (
    "Shows that a model registry of model_lifecycle uses this MLflow. Keep it: without it, the "
    "registry takes this MLflow for another one and refuses to write."
)


class RegisteredModels(ConnectionUser):
    async def ensure_registered_model(
        self, name: str, *, tags: Mapping[str, str], description: str
    ) -> None:
        """Create the registered model if it is not there; one that is there is left as it is."""
        filter_strings.checked_name(name)
        if await self.registered_model(name) is not None:
            return

        try:
            await self._connection.call_registry(
                lambda registry: registry.create_registered_model(name, tags, description)
            )
        except AlreadyExists:
            return

    async def set_registered_model_tags(self, name: str, tags: Mapping[str, str]) -> None:
        """Set these tags and leave others. Raises ModelNotFound."""
        filter_strings.checked_name(name)

        def set_tag(registry: RegistryStore, key: str, value: str) -> None:
            again_if_raced(lambda: registry.set_registered_model_tag(name, key, value))

        for key, value in tags.items():
            await self._connection.call_registry(
                partial(set_tag, key=key, value=value),
                missing=ModelNotFound(name),
            )

    async def registered_models(
        self, tenant: TenantId | None = None
    ) -> list[RegisteredModelRecord]:
        """The tenant's registered models by name, or those of every tenant; with aliases and
        tags, in one call a thousand. Names that are not of our form are left out."""
        models = await self._search_models(filter_strings.models_of(tenant) if tenant else None)
        owned = [(item, split_registered_name(item.name)) for item in models]
        return [item for item, owner in owned if owner is not None and tenant in (None, owner[0])]

    async def registered_model(self, name: str) -> RegisteredModelRecord | None:
        """The registered model with its aliases and tags, or None; a constant number of queries,
        where MLflow's own ``get_registered_model`` loads every version."""
        models = await self._search_models(filter_strings.named(name))
        return models[0] if models else None

    async def set_alias(self, name: str, alias: str, version: int) -> None:
        """Point ``alias`` at ``version``. Raises VersionNotFound."""
        filter_strings.checked_name(name)

        def set_alias(registry: RegistryStore) -> None:
            again_if_raced(lambda: registry.set_registered_model_alias(name, alias, version))

        await self._connection.call_registry(set_alias, missing=VersionNotFound(name, version))

    async def delete_alias(self, name: str, alias: str) -> None:
        """Remove ``alias``; one that is not there is fine."""
        filter_strings.checked_name(name)
        try:
            await self._connection.call_registry(
                lambda registry: registry.delete_registered_model_alias(name, alias)
            )
        except NotFound:
            return

    async def has_registry(self, registry_id: str) -> bool:
        """Whether the registry with this id has been entered into this MLflow."""
        models = await self._search_models(filter_strings.registry_marker(registry_id))
        return any(item.tags.get(REGISTRY_ID) == registry_id for item in models)

    async def add_registry(self, registry_id: str) -> None:
        """Enter the registry with this id into this MLflow; one that is there is fine.

        It is a registered model without versions: of all that MLflow keeps, it is what can be
        read without importing MLflow, and nothing is logged to it by chance.
        """
        name = filter_strings.registry_marker_name(registry_id)
        with contextlib.suppress(AlreadyExists):
            await self._connection.call_registry(
                lambda registry: registry.create_registered_model(
                    name, {REGISTRY_ID: registry_id}, _MARKER
                )
            )

    async def _search_models(self, condition: str | None) -> list[RegisteredModelRecord]:
        searched = filter_strings.without_prompts(condition)
        return await all_pages(
            self._connection.call_registry,
            lambda registry, token: registry.search_registered_models(searched, _PAGE, token),
        )
