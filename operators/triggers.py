"""Waiting for a stage without holding a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from model_lifecycle.registry.rules.errors import BackendUnavailable, RegistryError

from .hook import ModelRegistryHook
from .stages import reached


class ModelStageTrigger(BaseTrigger):
    """Fires once, when the version (or, with none, any version) is in the stage.

    The event is ``{"status": "success", "version": …, "stage": …}``, or ``{"status": "error",
    "code": …, "message": …}`` for what waiting cannot mend. A store that does not answer is
    asked again at the next poll.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        model_id: str,
        version: int | None,
        stage: str,
        model_registry_conn_id: str,
        poll_interval: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tenant_id = tenant_id
        self.model_id = model_id
        self.version = version
        self.stage = stage
        self.model_registry_conn_id = model_registry_conn_id
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "tenant_id": self.tenant_id,
                "model_id": self.model_id,
                "version": self.version,
                "stage": self.stage,
                "model_registry_conn_id": self.model_registry_conn_id,
                "poll_interval": self.poll_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            try:
                found = await self._look()
            except BackendUnavailable as error:
                self.log.warning("%s; asking again in %g s", error, self.poll_interval)
                found = None
            except RegistryError as error:
                yield _event(status="error", code=error.code, message=str(error))
                return
            if found is not None:
                yield _event(status="success", **found)
                return
            await asyncio.sleep(self.poll_interval)

    async def _look(self) -> dict[str, Any] | None:
        from model_lifecycle.registry.opening import open_registry

        connection = await ModelRegistryHook(self.model_registry_conn_id).aconnection()
        async with open_registry(connection.settings) as registry:
            return await reached(registry, self.tenant_id, self.model_id, self.version, self.stage)


def _event(**payload: Any) -> TriggerEvent:
    return TriggerEvent(payload)  # type: ignore[no-untyped-call]
