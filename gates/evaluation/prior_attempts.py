"""Evidence of a model before a run of a gate, as one query returns it.

The more candidates are judged on the same data, the likelier is one to pass by luck, and a reader
should know how many there were. Versions that were deleted count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from model_lifecycle.registry.domain.errors import ArtifactNotFound, InvalidInput
from model_lifecycle.registry.domain.evidence import Evidence
from model_lifecycle.registry.domain.stages import Gate

from ..data.identical_rows import shared
from ..report import GateReport
from .context import EvaluationContext
from .record import read_report

Summary = Mapping[str, Any]


@dataclass(frozen=True)
class PriorEvidence:
    """The model's evidence, oldest first, without that of the run itself."""

    context: EvaluationContext
    evidence: tuple[Evidence, ...]

    @classmethod
    async def load(cls, context: EvaluationContext) -> PriorEvidence:
        """One query for the evidence of all versions."""
        recorded = await context.registry.list_model_evidence(context.tenant, context.model)
        own = context.request.evidence_id
        return cls(context, tuple(item for item in recorded if item.evidence_id != own))

    def of_version(self, version: int) -> tuple[Evidence, ...]:
        return tuple(item for item in self.evidence if item.version == version)

    def of_gate(self, gate: Gate) -> tuple[Evidence, ...]:
        return tuple(item for item in self.evidence if item.gate is gate)

    def attempts(self, same_data: Callable[[Summary], bool]) -> int:
        """How often the gate has judged this version, or any version on the same data, whichever is
        more; this run included. ``same_data`` decides whether a summary is about the same data."""
        judged = self.of_gate(self.context.gate)
        number = self.context.version.version
        of_version = sum(item.version == number for item in judged)
        return 1 + max(of_version, sum(same_data(item.summary) for item in judged))

    async def read_report(self, evidence: Evidence) -> GateReport | None:
        """The report behind a piece of evidence; None where no gate of this package wrote one, or
        where it is gone."""
        try:
            return await read_report(self.context.registry.artifacts, evidence.report_uri)
        except (ArtifactNotFound, InvalidInput):
            return None


def overlapping_window(start: str, end: str) -> Callable[[Summary], bool]:
    """Whether evidence is about traffic of the window ``[start, end)`` or of a part of it."""
    first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)

    def overlaps(summary: Summary) -> bool:
        try:
            window = summary["window"]
            begin, until = (datetime.fromisoformat(window[name]) for name in ("start", "end"))
            return begin < last and first < until
        except (KeyError, TypeError, ValueError):
            return False

    return overlaps


def same_rows(data_digest: str, fingerprint: Sequence[str]) -> Callable[[Summary], bool]:
    """Whether evidence is about these held-out rows: about the same file, or about the same values
    of a column that models use."""

    def same(summary: Summary) -> bool:
        known = summary.get("data_fingerprint")
        if summary.get("data_digest") == data_digest:
            return True
        return isinstance(known, list) and shared(fingerprint, [str(item) for item in known])

    return same
