"""The validation gate as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .gate_operator import GateOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


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
        from model_lifecycle.gates.evaluation.validation import validate_version

        self.log.info("Validating %s version %s on %s", self.model_id, self.version, self.data)
        return self.run_gate(context, validate_version, data=self.data)
