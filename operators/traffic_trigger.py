"""Waiting for a block of traffic that can be judged, without holding a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from model_lifecycle.registry.rules.errors import BackendUnavailable, RegistryError

from .hook import ModelRegistryHook


class NewTrafficTrigger(BaseTrigger):
    """Fires once, when a whole block (hour or day) after ``after`` is old enough for its labels to
    have come, by the policy of the model's ``gate``, whether or not there was traffic in it.

    The event is ``{"status": "success", "until": …}``, or ``{"status": "error", "code": …,
    "message": …}`` for what waiting cannot mend. A store that does not answer is asked again.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        model_id: str,
        after: str,
        model_registry_conn_id: str,
        poll_interval: float,
        gate: str = "shadow",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tenant_id = tenant_id
        self.model_id = model_id
        self.after = after
        self.model_registry_conn_id = model_registry_conn_id
        self.poll_interval = poll_interval
        self.gate = gate

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "tenant_id": self.tenant_id,
                "model_id": self.model_id,
                "after": self.after,
                "model_registry_conn_id": self.model_registry_conn_id,
                "poll_interval": self.poll_interval,
                "gate": self.gate,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            try:
                until = await self._until()
            except BackendUnavailable as error:
                self.log.warning("%s; asking again in %g s", error, self.poll_interval)
                until = None
            except RegistryError as error:
                yield _event(status="error", code=error.code, message=str(error))
                return
            if until is not None and until > datetime.fromisoformat(self.after):
                yield _event(status="success", until=until.isoformat())
                return
            await asyncio.sleep(self.poll_interval)

    async def _until(self) -> datetime:
        """The end of the last whole block whose labels have come."""
        from model_lifecycle.gates.maturity import matured
        from model_lifecycle.gates.policies import ABPolicy, ShadowPolicy
        from model_lifecycle.registry.opening import open_registry

        connection = await ModelRegistryHook(self.model_registry_conn_id).aconnection()
        async with open_registry(connection.settings) as registry:
            found = await registry.get_policy(self.tenant_id, self.model_id)
        policy: ABPolicy | ShadowPolicy = (
            ABPolicy.from_document(found.ab_test)
            if self.gate == "ab_test"
            else ShadowPolicy.from_document(found.shadow)
        )
        return matured(datetime.now(UTC), policy.label_horizon_hours, policy.block)


def _event(**payload: Any) -> TriggerEvent:
    return TriggerEvent(payload)  # type: ignore[no-untyped-call]
