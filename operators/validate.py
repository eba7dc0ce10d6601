"""The validation gate as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.identifiers import parse_version

from .gate_operator import GateOperator, told
from .runtime.task_identity import evidence_id

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.registry.model_registry import ModelRegistry


class ValidateModelOperator(GateOperator):
    """Judges a version on held-out labelled data, against production or absolute limits.

    A retry gives the evidence that an earlier try recorded; clearing the task judges again.

    :param data: path or URI of a parquet file with the feature columns and the label.
    """

    template_fields: Sequence[str] = (*GateOperator.template_fields, "data")

    def __init__(self, *, data: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data = data

    def execute(self, context: Context) -> dict[str, Any]:
        actor, evidence = self.actor(context), evidence_id(context, self.version, self.data)
        self.log.info("Validating %s version %s on %s", self.model_id, self.version, self.data)

        async def work(registry: ModelRegistry) -> tuple[dict[str, Any], str | None]:
            from model_lifecycle.gates.evaluation.validation import validate_version

            report = await validate_version(
                registry,
                self.tenant_id,
                self.model_id,
                parse_version(self.version),
                data=self.data,
                actor=actor,
                evidence_id=evidence,
            )
            return told(registry, report)

        return self.tell(context, *self.call_registry(work))
