"""The operations on MLflow's model registry that are used, in values of this package.

Two stores do it: :class:`ServedRegistry` behind an MLflow server, without importing MLflow, and
:class:`DatabaseRegistry` on a database. All calls block, are sent once, and raise what
``translation`` reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from . import filter_strings
from .records import ModelVersionRecord, RegisteredModelRecord
from .tags import LOGGED_MODEL_ID
from .timestamps import when

T = TypeVar("T")

LOGGED_MODEL_SOURCE = "models:/"


class Page(list[T]):
    """A page of what a search found, and the token of the next: what MLflow calls a PagedList."""

    def __init__(self, items: Iterable[T], token: str | None) -> None:
        super().__init__(items)
        self.token = token


class RegistryStore(Protocol):
    """Registered models, versions, tags and aliases."""

    def create_registered_model(
        self, name: str, tags: Mapping[str, str], description: str
    ) -> None: ...

    def search_registered_models(
        self, condition: str, max_results: int, token: str | None
    ) -> Page[RegisteredModelRecord]:
        """By name."""

    def set_registered_model_tag(self, name: str, key: str, value: str) -> None: ...

    def set_registered_model_alias(self, name: str, alias: str, version: int) -> None: ...

    def delete_registered_model_alias(self, name: str, alias: str) -> None: ...

    def source_of(self, logged_model_id: str) -> str:
        """The source that a version made from this LoggedModel has to name."""

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
        """The number of the new version."""

    def model_version(self, name: str, version: int) -> ModelVersionRecord: ...

    def search_model_versions(
        self, condition: str, max_results: int, token: str | None
    ) -> Page[ModelVersionRecord]:
        """By number."""

    def newest_model_version(self, condition: str) -> ModelVersionRecord | None:
        """The one with the highest number."""

    def set_model_version_tag(self, name: str, version: int, key: str, value: str) -> None: ...

    def delete_model_version(self, name: str, version: int) -> None: ...

    def ping(self) -> None:
        """Return if both halves of MLflow, tracking and model registry, answer a small query."""

    def close(self) -> None:
        """Return the connections."""


def version_record(
    *,
    name: str,
    version: str | int,
    source: str,
    run_id: str | None,
    logged_model_id: str | None,
    tags: Mapping[str, str],
    created_millis: int | None,
    status: str,
    aliases: Iterable[str],
) -> ModelVersionRecord:
    """The record of a version from what MLflow tells about it."""
    from_source = source.removeprefix(LOGGED_MODEL_SOURCE)
    derived = from_source if filter_strings.is_logged_model_id(from_source) else None
    return ModelVersionRecord(
        name=name,
        version=int(version),
        source=source,
        run_id=run_id or None,
        logged_model_id=tags.get(LOGGED_MODEL_ID) or logged_model_id or derived,
        tags=tags,
        created_at=when(created_millis),
        status=status,
        aliases=frozenset(aliases),
    )
