"""Base of the sensors: check once, then wait in the triggerer or in the worker."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseSensorOperator, PokeReturnValue, conf
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from model_lifecycle.registry.domain.errors import BackendUnavailable, NotFound

from ..hooks.model_registry import ModelRegistryHook
from ..runtime.errors import airflow_errors
from ..runtime.retry_policy import RETRY_POLICY

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.registry.domain.models import VersionMetadata

    from ..triggers.model import ModelTrigger


class ModelSensor(BaseSensorOperator):
    """Base of the sensors that wait for a version of a model.

    :param tenant_id: whose model it is.
    :param model_id: the model's name within the tenant. It need not exist yet.
    :param model_registry_conn_id: connection of type ``model_registry``.
    :param deferrable: wait in the triggerer, without holding a worker.
    """

    template_fields: Sequence[str] = ("tenant_id", "model_id", "model_registry_conn_id")
    ui_color = "#dbe9e4"

    def __init__(
        self,
        *,
        tenant_id: str,
        model_id: str,
        model_registry_conn_id: str = ModelRegistryHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.retry_policy = self.retry_policy or RETRY_POLICY
        self.tenant_id = tenant_id
        self.model_id = model_id
        self.model_registry_conn_id = model_registry_conn_id
        self.deferrable = deferrable

    @abstractmethod
    def trigger(self, context: Context, **names: Any) -> ModelTrigger:
        """The trigger that waits for the same; ``names`` are the arguments that all have."""

    @abstractmethod
    def subject(self) -> str:
        """The awaited state in words."""

    @cached_property
    def hook(self) -> ModelRegistryHook:
        return ModelRegistryHook(self.model_registry_conn_id)

    def versions(self) -> list[VersionMetadata]:
        """The model's versions; none where it does not exist yet."""
        try:
            return self.hook.call_registry(
                lambda registry: registry.list_versions(self.tenant_id, self.model_id)
            )
        except NotFound:
            return []

    def poke(self, context: Context) -> PokeReturnValue:
        with airflow_errors():
            trigger = self._trigger(context)
            try:
                match = trigger.match(self.versions())
            except BackendUnavailable as error:
                self.log.warning("%s; asking again", error)
                match = None
        if match is None:
            self.log.info("There is no %s yet", self.subject())
        return PokeReturnValue(is_done=match is not None, xcom_value=match)

    def execute(self, context: Context) -> Any:
        if not self.deferrable:
            return super().execute(context)
        poked = self.poke(context)
        if poked:
            return poked.xcom_value
        return self._wait(context)

    def _wait(self, context: Context) -> NoReturn:
        self.defer(
            trigger=self._trigger(context),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout),
        )

    def _trigger(self, context: Context) -> ModelTrigger:
        return self.trigger(
            context,
            tenant_id=self.tenant_id,
            model_id=self.model_id,
            model_registry_conn_id=self.model_registry_conn_id,
            poll_interval=self.poke_interval,
        )

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """The trigger's answer as the task's. Raises for everything but a success."""
        if event and event.get("status") == "error":
            raise AirflowFailException(
                f"waiting for {self.subject()} ended: {event.get('message')}"
            )
        if not event or event.get("status") != "success":
            raise AirflowException(f"waiting for {self.subject()} ended: unknown event {event!r}")
        match = {key: value for key, value in event.items() if key != "status"}
        self.log.info("%s version %s is in %s", self.model_id, match["version"], match["stage"])
        return match
