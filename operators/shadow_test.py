"""The shadow gate as a task."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .gate_operator import TrafficGateOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class ShadowTestOperator(TrafficGateOperator):
    """Replays the recorded requests of a window on a version, against production's answers.

    A retry gives the evidence that an earlier try recorded; clearing the task judges again.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        from model_lifecycle.gates.evaluation.shadow_test import shadow_test_version

        return self.run_on_window(
            context, partial(shadow_test_version, progress=self._log_progress)
        )

    def _log_progress(self, block: int, blocks: int, name: str) -> None:
        self.log.info("Block %d of %d: %s", block, blocks, name)
