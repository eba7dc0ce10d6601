"""Rollback as a task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from model_lifecycle.registry.domain.stages import Stage

from .base import LifecycleOperator
from .links import ModelVersionLink
from .runtime.assets import announce, event_extra, stage_outlets
from .runtime.notifications import as_list, build_event, count, notify_once
from .runtime.openlineage import record, stage_dataset, version_dataset
from .runtime.task_identity import operation_id
from .runtime.template_values import ANYTHING, expected_production, optional_version

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier, Context

    from model_lifecycle.registry.model_registry import ModelRegistry


class RollbackModelOperator(LifecycleOperator):
    """Puts an earlier version back into production, in one operation of the core.

    Returns ``version`` (in production now), ``previous_production``, ``reason``, ``actor``,
    ``at``, ``sequence``, ``changed``, and its opposite ``replayed``, which is true if an earlier
    try had done it. Updates the assets of production: see
    :mod:`model_lifecycle.operators.runtime.assets`.

    :param to_version: the version to bring back; none or empty: the previous one in production.
    :param expected_production: the version that must be in production now, none for no version;
        otherwise the rollback fails as a conflict. Default: any. A DAG that reacts to what it saw
        names it here, so that production does not go back twice.
    :param without_verification: roll back also while the artifact store or MLflow does not answer;
        MLflow follows later. Needs the role admin.
    :param reason: why; the ledger keeps it.
    :param notifiers: Airflow notifiers to call; their context has ``lifecycle``: see
        :mod:`model_lifecycle.operators.runtime.notifications`.
    """

    template_fields: Sequence[str] = (
        *LifecycleOperator.template_fields,
        "to_version",
        "expected_production",
        "reason",
    )
    operator_extra_links = (ModelVersionLink(),)
    ui_color = "#f5dccf"

    def __init__(
        self,
        *,
        tenant_id: str,
        model_id: str,
        reason: str,
        to_version: int | str | None = None,
        expected_production: int | str | None = ANYTHING,
        without_verification: bool = False,
        notifiers: BaseNotifier | Iterable[BaseNotifier] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs["outlets"] = [
            *(kwargs.get("outlets") or ()),
            *stage_outlets(tenant_id, model_id, Stage.PRODUCTION),
        ]
        super().__init__(tenant_id=tenant_id, model_id=model_id, **kwargs)
        self.to_version = to_version
        self.expected_production = expected_production
        self.without_verification = without_verification
        self.reason = reason
        self.notifiers = as_list(notifiers)

    def execute(self, context: Context) -> dict[str, Any]:
        operation, actor = operation_id(context), self.actor(context)

        async def work(registry: ModelRegistry) -> tuple[dict[str, Any], dict[str, Any]]:
            to_version = optional_version(self.to_version)
            model = (self.tenant_id, self.model_id)
            # Asked again after an earlier try had committed, the core answers as before, and
            # finishes what that try left undone in MLflow.
            moved = await registry.rollback(
                *model,
                to_version=to_version,
                expected_production=expected_production(self.expected_production),
                actor=actor,
                reason=self.reason,
                without_verification=self.without_verification,
                operation_id=operation,
            )
            receipt = moved.receipt
            assert receipt is not None, "a write returns its receipt"
            entry = receipt.entry
            assert entry.production is not None, "a rollback has a successor, or is refused"
            back = await registry.get_version(*model, entry.production)
            if back is None:
                raise AirflowFailException(f"version {entry.production} was deleted since")
            outcome = {
                "tenant_id": self.tenant_id,
                "model_id": self.model_id,
                "version": entry.production,
                "previous_production": entry.previous_production,
                "reason": entry.reason,
                "actor": entry.actor,
                "at": entry.at.isoformat(),
                "sequence": entry.sequence,
                "changed": not receipt.replayed,
                "replayed": receipt.replayed,
            }
            return outcome, event_extra(entry, back, Stage.PRODUCTION)

        result, moved = self.call_registry(work)
        sentence = (
            f"{self.model_id} version {result['version']} is in production again, in place of "
            f"version {result['previous_production']}: {result['reason']}"
        )
        self.log.info(sentence)
        ModelVersionLink.publish(context, self.hook, self.tenant_id, self.model_id, result)
        announce(context, moved)
        names = (self.tenant_id, self.model_id)
        record(
            self,
            inputs=[version_dataset(*names, result["version"])],
            outputs=[stage_dataset(*names, Stage.PRODUCTION)],
        )
        count("transitions", event="rolled_back", stage=Stage.PRODUCTION.value)
        notification = build_event("rolled_back", sentence, moved)
        notify_once(context, self.notifiers, notification, moved["sequence"])
        return result
