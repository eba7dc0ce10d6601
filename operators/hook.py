"""The hook: from an Airflow connection to a registry."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

from model_lifecycle.registry.rules.errors import RegistryError
from model_lifecycle.registry.rules.principals import Principal
from model_lifecycle.registry.settings import PREFIX, Settings

from .connection import RegistryConnection, read_connection
from .identity import person, principal_name

if TYPE_CHECKING:
    from airflow.sdk import Context


class ModelRegistryHook(BaseHook):
    """Settings of the registry from a connection, completed by ``MODEL_LIFECYCLE_*``.

    Without the default connection the environment alone decides. Without both, the hook refuses:
    an embedded registry in a worker's current folder is never what somebody meant.

    :param model_registry_conn_id: connection of type ``model_registry``.
    """

    conn_name_attr = "model_registry_conn_id"
    default_conn_name = "model_registry_default"
    conn_type = "model_registry"
    hook_name = "Model registry"

    def __init__(self, model_registry_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_registry_conn_id = model_registry_conn_id

    def connection(self) -> RegistryConnection:
        """The connection's fields. Raises InvalidInput; AirflowException if there is none."""
        from airflow.sdk.log import mask_secret

        try:
            extra = self.get_connection(self.model_registry_conn_id).extra_dejson
        except AirflowNotFoundException as error:
            return self._from_environment(error)
        found = read_connection(extra)
        for secret in _secrets(found.settings):
            mask_secret(secret)
        return found

    async def aconnection(self) -> RegistryConnection:
        """:meth:`connection`, for triggers."""
        from airflow.sdk.log import amask_secret

        try:
            connection = await self.aget_connection(self.model_registry_conn_id)
        except AirflowNotFoundException as error:
            return self._from_environment(error)
        found = read_connection(await connection.aextra_dejson())
        for secret in _secrets(found.settings):
            await amask_secret(secret)
        return found

    def settings(self) -> Settings:
        """Where the registry is."""
        return self.connection().settings

    def principal(self, context: Context) -> Principal:
        """The task as an actor: named for its DAG and run, on behalf of whoever started it."""
        return Principal(
            principal_name(context),
            roles=self.connection().roles,
            on_behalf_of=person(context),
        )

    def test_connection(self) -> tuple[bool, str]:
        """Whether ledger, MLflow and artifact store answer, and if not, which does not."""
        from model_lifecycle.registry.opening import open_registry
        from model_lifecycle.registry.running import run_sync

        async def knock(settings: Settings) -> None:
            async with open_registry(settings) as registry:
                await registry.ping()

        try:
            run_sync(knock(self.settings()))
        except (RegistryError, AirflowException) as error:
            return False, str(error)
        return True, "ledger, MLflow and artifact store answer"

    def _from_environment(self, error: AirflowNotFoundException) -> RegistryConnection:
        if self.model_registry_conn_id != self.default_conn_name:
            raise error
        if not any(name.startswith(PREFIX) and value for name, value in os.environ.items()):
            raise AirflowException(
                f"there is no connection {self.model_registry_conn_id!r} and no {PREFIX}* in the "
                f"environment, so nothing says where the registry is; add the connection (type "
                f"{self.conn_type}), or set {PREFIX}HOME for an embedded registry"
            ) from error
        return RegistryConnection(Settings())


def _secrets(settings: Settings) -> list[str]:
    """Passwords within the addresses, so that no log shows them."""
    found = []
    for address in (settings.database_url, settings.tracking_uri):
        try:
            password = urlsplit(address).password
        except ValueError:
            continue
        if password:
            found.append(password)
    return found
