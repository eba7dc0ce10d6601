"""Registered models: names, tags and aliases. An alias here only mirrors the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..rules.errors import AlreadyExists, ModelNotFound, NotFound, VersionNotFound
from ..rules.tenancy import TenantId, split_registered_name
from . import filters
from .connection import Connection
from .paging import all_pages
from .records import RegisteredModelRecord
from .stores import Stores
from .translation import is_lost_race

_PAGE = 1000


class RegisteredModels:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def ensure_registered_model(
        self, name: str, *, tags: Mapping[str, str], description: str
    ) -> None:
        """Create the registered model if it is not there; one that is there is left as it is."""
        filters.checked_name(name)
        if await self.registered_model(name) is not None:
            return

        def create(stores: Stores) -> None:
            from mlflow.entities.model_registry import RegisteredModelTag

            stores.registry.create_registered_model(
                name, [RegisteredModelTag(key, value) for key, value in tags.items()], description
            )

        try:
            await self._connection.call(create)
        except AlreadyExists:
            return

    async def set_registered_model_tags(self, name: str, tags: Mapping[str, str]) -> None:
        """Set these tags and leave others. Raises ModelNotFound."""
        filters.checked_name(name)

        def set_tag(stores: Stores, key: str, value: str) -> None:
            from mlflow.entities.model_registry import RegisteredModelTag

            stores.registry.set_registered_model_tag(name, RegisteredModelTag(key, value))

        for key, value in tags.items():
            await self._connection.call(
                lambda stores, key=key, value=value: set_tag(stores, key, value),  # type: ignore[misc]
                missing=ModelNotFound(name),
            )

    async def registered_models(
        self, tenant: TenantId | None = None
    ) -> list[RegisteredModelRecord]:
        """The tenant's registered models by name, or those of every tenant; with aliases and
        tags, in one call a thousand. Names that are not of our form are left out."""
        found = await self._search(filters.models_of(tenant) if tenant else None)
        owned = [(item, split_registered_name(item.name)) for item in found]
        return [item for item, owner in owned if owner is not None and tenant in (None, owner[0])]

    async def registered_model(self, name: str) -> RegisteredModelRecord | None:
        """The registered model with its aliases and tags, or None; a constant number of queries,
        where MLflow's own ``get_registered_model`` loads every version."""
        found = await self._search(filters.named(name))
        return found[0] if found else None

    async def set_alias(self, name: str, alias: str, version: int) -> None:
        """Point ``alias`` at ``version``. Raises VersionNotFound.

        The loser of two concurrent first sets is rolled back by the database and sent once more.
        """
        filters.checked_name(name)

        def set_alias(stores: Stores) -> None:
            try:
                stores.registry.set_registered_model_alias(name, alias, str(version))
            except Exception as error:
                if not is_lost_race(error):
                    raise
                stores.registry.set_registered_model_alias(name, alias, str(version))

        await self._connection.call(set_alias, missing=VersionNotFound(name, version))

    async def delete_alias(self, name: str, alias: str) -> None:
        """Remove ``alias``; one that is not there is fine."""
        filters.checked_name(name)
        try:
            await self._connection.call(
                lambda stores: stores.registry.delete_registered_model_alias(name, alias)
            )
        except NotFound:
            return

    async def _search(self, condition: str | None) -> list[RegisteredModelRecord]:
        def fetch(stores: Stores, token: str | None) -> Any:
            from mlflow.prompt.registry_utils import add_prompt_filter_string

            return stores.registry.search_registered_models(
                filter_string=add_prompt_filter_string(condition, False),
                max_results=_PAGE,
                order_by=["name ASC"],
                page_token=token,
            )

        return [_record(item) for item in await all_pages(self._connection, fetch)]


def _record(model: Any) -> RegisteredModelRecord:
    return RegisteredModelRecord(
        name=model.name,
        aliases={alias: int(version) for alias, version in model.aliases.items()},
        tags=dict(model.tags),
    )
