"""The hook: from an Airflow connection to a registry."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
)

from model_lifecycle.registry.domain.authorization import Principal
from model_lifecycle.registry.domain.errors import InvalidInput, RegistryError
from model_lifecycle.registry.settings import Settings

from ..runtime.task_identity import person, principal_name
from .connection import (
    CONN_TYPE,
    STANDARD_FIELDS,
    RegistryConnection,
    check_standard_fields,
    read_connection,
    read_extra,
)
from .connection_secrets import secrets_of

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

    from model_lifecycle.registry.model_registry import ModelRegistry

T = TypeVar("T")


class ModelRegistryHook(BaseHook):
    """Settings of the registry from a connection, completed by ``MODEL_LIFECYCLE_*``.

    Where there is no default connection, the environment has to name everything by itself. Either
    names all three stores, or the home of an embedded registry: otherwise the hook refuses.

    :param model_registry_conn_id: connection of type ``model_registry``.
    """

    conn_name_attr = "model_registry_conn_id"
    default_conn_name = "model_registry_default"
    conn_type = CONN_TYPE
    hook_name = "Model registry"

    def __init__(self, model_registry_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_registry_conn_id = model_registry_conn_id

    def connection(self) -> RegistryConnection:
        """The connection's fields. Raises InvalidInput, with the field's name; AirflowException
        if there is no connection and the environment does not stand for it."""
        from airflow.sdk.log import mask_secret

        try:
            connection = self.get_connection(self.model_registry_conn_id)
        except AirflowNotFoundException as error:
            return self._from_environment(error)
        for secret in _secrets(connection):
            mask_secret(secret)
        return self._read(connection)

    async def aconnection(self) -> RegistryConnection:
        """:meth:`connection`, for triggers."""
        from airflow.sdk.log import amask_secret

        try:
            connection = await self.aget_connection(self.model_registry_conn_id)
        except AirflowNotFoundException as error:
            return self._from_environment(error)
        for secret in _secrets(connection):
            await amask_secret(secret)
        return self._read(connection)

    def settings(self) -> Settings:
        """Settings of the registry, from the connection and the environment."""
        return self.connection().settings

    def call_registry(self, work: Callable[[ModelRegistry], Awaitable[T]]) -> T:
        """Call ``work`` with the registry open and return its result: for tasks of your own.

        Nothing that talks to Airflow (XCom, connections) may happen inside ``work``: Airflow
        refuses such calls on the thread of an event loop. Raises what ``work`` raises, and
        InvalidInput if neither connection nor environment names all stores.
        """
        from model_lifecycle.registry.factory import open_registry
        from model_lifecycle.registry.sync import run_sync

        settings = self.complete_settings()

        async def within() -> T:
            async with open_registry(settings) as registry:
                return await work(registry)

        return run_sync(within())

    def complete_settings(self) -> Settings:
        """The settings to open a registry with. Raises InvalidInput unless connection and
        environment name all stores, or the home of embedded ones."""
        return self._complete(self.connection())

    async def acomplete_settings(self) -> Settings:
        """:meth:`complete_settings`, for triggers."""
        return self._complete(await self.aconnection())

    def principal(self, context: Context) -> Principal:
        """The task as an actor: named for its DAG and run, on behalf of its starter."""
        return Principal(
            principal_name(context),
            roles=self.connection().roles,
            on_behalf_of=person(context),
        )

    def test_connection(self) -> tuple[bool, str]:
        """Whether ledger, MLflow and artifact store answer, and if not, which does not."""
        try:
            self.call_registry(lambda registry: registry.ping())
        except (RegistryError, AirflowException) as error:
            return False, str(error)
        return True, "ledger, MLflow and artifact store answer"

    def _read(self, connection: Connection) -> RegistryConnection:
        # Not Airflow's ``extra_dejson``: it logs an error for what it cannot read, and gives {}.
        standard = {name: getattr(connection, name) for name in STANDARD_FIELDS}
        try:
            check_standard_fields(connection.conn_type, standard)
            parsed = read_connection(read_extra(connection.extra))
            parsed.require_any_store(os.environ)
        except InvalidInput as error:
            raise self._named(error) from None
        return parsed

    def _complete(self, connection: RegistryConnection) -> Settings:
        try:
            connection.require_every_store(os.environ)
        except InvalidInput as error:
            raise self._named(error) from None
        return connection.settings

    def _named(self, error: InvalidInput) -> InvalidInput:
        message = f"connection {self.model_registry_conn_id!r}: {error}"
        return InvalidInput(message, field=error.field)

    def _from_environment(self, error: AirflowNotFoundException) -> RegistryConnection:
        if self.model_registry_conn_id != self.default_conn_name:
            raise error
        from_environment = RegistryConnection(Settings())
        try:
            from_environment.require_any_store(os.environ)
        except InvalidInput as unnamed:
            raise AirflowFailException(
                f"there is no connection {self.model_registry_conn_id!r}, and {unnamed}; or add "
                f"the connection, of type {self.conn_type}"
            ) from None
        return from_environment


def _secrets(connection: Connection) -> set[str]:
    """The secrets that must not appear in a log, from every field of the connection: also
    from those that will be refused, and from an ``extra`` that cannot be read."""
    extra: Any = connection.extra
    with suppress(TypeError, ValueError):
        extra = json.loads(extra)
    values = {name: getattr(connection, name) for name in STANDARD_FIELDS}
    return secrets_of([values, extra, connection.extra])
