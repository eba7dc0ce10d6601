"""A model's promotion policy, stated by its DAG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from model_lifecycle.gates.policy.files import complete_policy
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy

from .base import LifecycleOperator
from .runtime.task_identity import operation_id

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.registry.model_registry import ModelRegistry


class SetPolicyOperator(LifecycleOperator):
    """Makes ``policy`` the model's promotion policy; the same one again changes nothing.

    Returns ``fingerprint`` and ``changed``. The model must exist.

    :param policy: a policy, or its document.
    :param reason: for the ledger.
    """

    template_fields: Sequence[str] = (*LifecycleOperator.template_fields, "policy", "reason")
    template_fields_renderers = {"policy": "json"}  # noqa: RUF012 - Airflow's own declaration

    def __init__(
        self,
        *,
        policy: PromotionPolicy | Mapping[str, Any],
        reason: str = "stated by the DAG",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.policy = policy
        self.reason = reason

    def execute(self, context: Context) -> dict[str, Any]:
        operation, actor = operation_id(context), self.actor(context)

        async def work(registry: ModelRegistry) -> dict[str, Any]:
            policy = complete_policy(
                self.policy.document() if isinstance(self.policy, PromotionPolicy) else self.policy
            )
            current = await registry.get_policy(self.tenant_id, self.model_id)
            changed = current.fingerprint != policy.fingerprint
            if changed:
                await registry.set_policy(
                    self.tenant_id,
                    self.model_id,
                    policy,
                    actor=actor,
                    reason=self.reason,
                    operation_id=operation,
                )
            return {"fingerprint": policy.fingerprint, "changed": changed}

        result = self.call_registry(work)
        self.log.info(
            "Promotion policy of %s %s (%s)",
            self.model_id,
            "is now the DAG's" if result["changed"] else "is already the DAG's",
            result["fingerprint"],
        )
        return result
