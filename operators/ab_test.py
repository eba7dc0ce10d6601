"""The A/B gate as a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .gate_operator import TrafficGateOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class ABTestOperator(TrafficGateOperator):
    """Compares the outcomes of units that a version answered with those that production did.

    A retry gives the evidence that an earlier try recorded; clearing the task judges again.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        from model_lifecycle.gates.evaluation.ab_test import ab_test_version

        return self.run_on_window(context, ab_test_version)
