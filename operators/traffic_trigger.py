"""Waiting for a block of traffic that can be judged, without holding a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import TriggerEvent

from model_lifecycle.registry.rules.errors import BackendUnavailable, RegistryError

from .shared_poll import registry_of
from .triggers import RegistryTrigger


class NewTrafficTrigger(RegistryTrigger):
    """Fires once, when a whole block (hour or day) after ``after`` is old enough for its labels to
    have come, by the policy of the model's ``gate``, whether or not there was traffic in it.

    The event is ``{"status": "success", "until": …}``, or ``{"status": "error", "code": …,
    "message": …}`` for what waiting cannot mend. A store that does not answer is asked again.
    """

    def __init__(self, *, after: str, gate: str = "shadow", **names: Any) -> None:
        super().__init__(**names)
        self.after = after
        self.gate = gate

    def serialize(self) -> tuple[str, dict[str, Any]]:
        path, names = super().serialize()
        return path, {**names, "after": self.after, "gate": self.gate}

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

        async with registry_of(self.model_registry_conn_id) as registry:
            found = await registry.get_policy(self.tenant_id, self.model_id)
        policy: ABPolicy | ShadowPolicy = (
            ABPolicy.from_document(found.ab_test)
            if self.gate == "ab_test"
            else ShadowPolicy.from_document(found.shadow)
        )
        return matured(datetime.now(UTC), policy.label_horizon_hours, policy.block)


def _event(**payload: Any) -> TriggerEvent:
    return TriggerEvent(payload)  # type: ignore[no-untyped-call]
