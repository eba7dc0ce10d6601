"""What a shadow test fixes before it reads a request, so that its days can be replayed anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from model_lifecycle.registry.rules import tenancy
from model_lifecycle.registry.rules.errors import InvalidInput

from .ports import Files
from .recording import report_folder
from .report import GateReport

PLAN_JSON = "plan.json"


@dataclass(frozen=True)
class ShadowPlan:
    """Plain JSON in :meth:`document`. ``days`` of the window have traffic; ``mature_until`` is the
    time of the latest request that counts; ``identity`` that of the sums; ``edges`` of the plots of
    a regression."""

    tenant_id: str
    model_id: str
    version: int
    evidence_id: str
    baseline: int | None
    start: str
    end: str
    mature_until: str
    identity: str
    policy_fingerprint: str
    days: tuple[str, ...]
    edges: Mapping[str, Any] | None = None

    @property
    def folder(self) -> str:
        """Where the report and the days' sums are, under the artifact root."""
        return report_folder(
            tenancy.tenant_id(self.tenant_id),
            tenancy.model_id(self.model_id),
            self.version,
            "shadow",
            self.evidence_id,
        )

    @property
    def window(self) -> tuple[datetime, datetime]:
        return datetime.fromisoformat(self.start), datetime.fromisoformat(self.end)

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "days": list(self.days)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ShadowPlan:
        """What :meth:`document` wrote. Raises :class:`InvalidInput`."""
        try:
            return cls(**{**document, "days": tuple(document["days"])})
        except (TypeError, KeyError, ValueError) as error:
            raise InvalidInput(f"this is no plan of a shadow test: {error}", field="plan") from None

    def content(self) -> bytes:
        return json.dumps(self.document(), sort_keys=True).encode()


async def recorded_plan(store: Files, report: GateReport) -> ShadowPlan:
    """The plan that a recorded report was made by. Raises ArtifactNotFound."""
    folder = report_folder(
        tenancy.tenant_id(report.tenant_id),
        tenancy.model_id(report.model_id),
        report.version,
        report.gate.value,
        report.evidence_id,
    )
    return ShadowPlan.from_document(json.loads(await store.get_bytes(f"{folder}/{PLAN_JSON}")))
