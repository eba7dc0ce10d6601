"""The shadow gate as a task."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.identifiers import parse_version

from .gate_operator import GateOperator, told
from .runtime.task_identity import evidence_id

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.registry.model_registry import ModelRegistry


class ShadowTestOperator(GateOperator):
    """Replays the recorded requests of a window on a version, against production's answers.

    A retry gives the evidence that an earlier try recorded; clearing the task judges again.

    :param start: first day of the window, or its first instant: ISO text, a date or a datetime;
        without a time zone it is UTC.
    :param end: the day after its last, or the instant after it.
    """

    template_fields: Sequence[str] = (*GateOperator.template_fields, "start", "end")

    def __init__(self, *, start: str | date, end: str | date, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start = start
        self.end = end

    def execute(self, context: Context) -> dict[str, Any]:
        actor, evidence = (
            self.actor(context),
            evidence_id(context, self.version, self.start, self.end),
        )
        self.log.info(
            "Shadow-testing %s version %s on the requests from %s to %s",
            self.model_id,
            self.version,
            self.start,
            self.end,
        )

        async def work(registry: ModelRegistry) -> tuple[dict[str, Any], str | None]:
            from model_lifecycle.gates.evaluation.shadow_test import shadow_test_version

            report = await shadow_test_version(
                registry,
                self.tenant_id,
                self.model_id,
                parse_version(self.version),
                start=self.start,
                end=self.end,
                actor=actor,
                evidence_id=evidence,
                progress=self._progress,
            )
            return told(registry, report)

        return self.tell(context, *self.call_registry(work))

    def _progress(self, block: int, blocks: int, message: str) -> None:
        self.log.info("Block %d of %d: %s", block, blocks, message)
