"""A sensor that waits until a model has a version in a stage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseSensorOperator, PokeReturnValue, conf
from airflow.sdk.exceptions import AirflowException

from model_lifecycle.registry.rules.errors import BackendUnavailable
from model_lifecycle.registry.rules.stages import Stage

from .errors import airflow_errors
from .hook import ModelRegistryHook
from .stages import reached
from .versions import optional_version

if TYPE_CHECKING:
    from airflow.sdk import Context


class ModelStageSensor(BaseSensorOperator):
    """Waits until a version of the model is in ``stage``; returns ``version`` and ``stage``.

    :param tenant_id: whose model it is.
    :param model_id: the model's name within the tenant. It need not exist yet.
    :param stage: the stage to wait for.
    :param version: the version to wait for; none or empty: any.
    :param model_registry_conn_id: connection of type ``model_registry``.
    :param deferrable: wait in the triggerer, without holding a worker.
    """

    template_fields: Sequence[str] = (
        "tenant_id",
        "model_id",
        "stage",
        "version",
        "model_registry_conn_id",
    )
    ui_color = "#dbe9e4"

    def __init__(
        self,
        *,
        tenant_id: str,
        model_id: str,
        stage: str = Stage.PRODUCTION.value,
        version: int | str | None = None,
        model_registry_conn_id: str = ModelRegistryHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tenant_id = tenant_id
        self.model_id = model_id
        self.stage = stage
        self.version = version
        self.model_registry_conn_id = model_registry_conn_id
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> ModelRegistryHook:
        return ModelRegistryHook(self.model_registry_conn_id)

    def poke(self, context: Context) -> PokeReturnValue:
        from model_lifecycle.registry.opening import open_registry
        from model_lifecycle.registry.running import run_sync

        with airflow_errors():
            settings, version = self.hook.settings(), optional_version(self.version)

            async def look() -> dict[str, Any] | None:
                async with open_registry(settings) as registry:
                    return await reached(
                        registry, self.tenant_id, self.model_id, version, self.stage
                    )

            try:
                found = run_sync(look())
            except BackendUnavailable as error:
                self.log.warning("%s; asking again", error)
                found = None
        if found is None:
            self.log.info("%s is not in %s yet", self._subject(), self.stage)
        return PokeReturnValue(is_done=found is not None, xcom_value=found)

    def execute(self, context: Context) -> Any:
        if not self.deferrable:
            return super().execute(context)
        found = self.poke(context)
        if found:
            return found.xcom_value
        return self._wait()

    def _wait(self) -> NoReturn:
        from .triggers import ModelStageTrigger

        self.defer(
            trigger=ModelStageTrigger(
                tenant_id=self.tenant_id,
                model_id=self.model_id,
                version=optional_version(self.version),
                stage=self.stage,
                model_registry_conn_id=self.model_registry_conn_id,
                poll_interval=self.poke_interval,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout),
        )

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """The trigger's answer as the task's. Raises for everything but a success."""
        if not event or event.get("status") != "success":
            told = (event or {}).get("message") or f"unknown event {event!r}"
            raise AirflowException(f"waiting for {self._subject()} ended: {told}")
        self.log.info("%s version %s is in %s", self.model_id, event["version"], event["stage"])
        return {"version": event["version"], "stage": event["stage"]}

    def _subject(self) -> str:
        return f"{self.model_id} version {self.version}" if self.version else self.model_id
