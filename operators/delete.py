"""Deletion as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .base import LifecycleOperator
from .runtime.task_identity import operation_id
from .runtime.template_values import optional_version

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.registry.model_registry import ModelRegistry


class DeleteModelOperator(LifecycleOperator):
    """Deletes a version, or all versions of a model, that were never in production.

    All or nothing: where one of them is in production or archived, the task fails and nothing is
    deleted. The history stays. Returns ``versions`` (the numbers that are gone), ``reason``,
    ``actor``, ``at``, ``sequence``, ``changed``, and its opposite ``replayed``, which is true if an
    earlier try had done it.

    :param version: the version to delete; none or empty: all of them.
    :param reason: why; the ledger keeps it.
    """

    template_fields: Sequence[str] = (*LifecycleOperator.template_fields, "version", "reason")
    ui_color = "#eccfcf"

    def __init__(self, *, reason: str, version: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.version = version
        self.reason = reason

    def execute(self, context: Context) -> dict[str, Any]:
        operation, actor = operation_id(context), self.actor(context)

        async def work(registry: ModelRegistry) -> dict[str, Any]:
            model = (self.tenant_id, self.model_id)
            # Asked again after an earlier try had committed, the core finishes what that try left
            # undone in MLflow and among the files.
            receipt = await registry.delete_model(
                *model,
                optional_version(self.version),
                actor=actor,
                reason=self.reason,
                operation_id=operation,
            )
            entry = receipt.entry
            return {
                "tenant_id": self.tenant_id,
                "model_id": self.model_id,
                "versions": [move.version for move in entry.moves],
                "reason": entry.reason,
                "actor": entry.actor,
                "at": entry.at.isoformat(),
                "sequence": entry.sequence,
                "changed": not receipt.replayed,
                "replayed": receipt.replayed,
            }

        result = self.call_registry(work)
        self.log.info(
            "%s: deleted %s: %s",
            self.model_id,
            ", ".join(f"version {number}" for number in result["versions"]),
            result["reason"],
        )
        return result
