"""Waiting for a block of traffic that can be judged, without holding a worker.

When that is follows from the clock and the model's policy. The policy is read, then the trigger
sleeps until the time has come: who waits for the end of the day asks once an hour.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from model_lifecycle.registry.domain.errors import BackendUnavailable, RegistryError

from .model import RegistryTrigger, event
from .shared_poll import registry_of

if TYPE_CHECKING:
    from model_lifecycle.gates.policy.promotion import ABPolicy, ShadowPolicy

#: Seconds after which a policy that was changed meanwhile is noticed, at the latest.
LONGEST_SLEEP = 3600.0


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
        from model_lifecycle.gates.policy.label_maturity import labels_complete_until, next_matured

        while True:
            pause = self.poll_interval
            try:
                policy = await self._policy()
            except BackendUnavailable as error:
                self.log.warning("%s; asking again in %g s", error, pause)
            except RegistryError as error:
                yield event(status="error", code=error.code, message=str(error))
                return
            else:
                rules = policy.label_horizon_hours, policy.block
                now = datetime.now(UTC)
                until = labels_complete_until(now, *rules)
                if until > datetime.fromisoformat(self.after):
                    yield event(status="success", until=until.isoformat())
                    return
                left = (next_matured(until, *rules) - now).total_seconds()
                pause = max(pause, min(left, LONGEST_SLEEP))
            await asyncio.sleep(pause)

    async def _policy(self) -> ABPolicy | ShadowPolicy:
        from model_lifecycle.gates.policy.promotion import ABPolicy, ShadowPolicy

        async with registry_of(self.model_registry_conn_id) as registry:
            policy = await registry.get_policy(self.tenant_id, self.model_id)
        if self.gate == "ab_test":
            return ABPolicy.from_document(policy.ab_test)
        return ShadowPolicy.from_document(policy.shadow)
