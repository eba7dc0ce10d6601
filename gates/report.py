"""Reports of gates: a verdict with the numbers behind it, as frozen values and plain finite JSON.

Standard library only. A bound that does not exist (one-sided, or not computable) is None: the
documents hold neither NaN nor infinity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from model_lifecycle.registry.domain.evidence import Evidence, Verdict
from model_lifecycle.registry.domain.stages import Gate

#: Rows of these kinds must pass; a slice can only stand in the way.
DEMANDS = ("comparison", "limit")


@dataclass(frozen=True)
class Check:
    """One check of the data. ``otherwise`` is the gate's verdict if the check is not ``ok``:
    INVALID where the data cannot be judged, FAIL where the candidate causes the problem,
    INCONCLUSIVE where something that a PASS needs was not judged, None for a warning. ``checked``
    is false where the data for the check are missing: such a check is never ``ok``."""

    name: str
    ok: bool
    message: str
    otherwise: Verdict | None = Verdict.INVALID
    checked: bool = True

    @property
    def state(self) -> str:
        """``ok``, ``not checked``, ``warning``, or ``failed``."""
        if self.ok:
            return "ok"
        if self.otherwise is not None:
            return "failed"
        return "warning" if self.checked else "not checked"

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "otherwise": self.otherwise.value if self.otherwise else None}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Check:
        otherwise = document["otherwise"]
        return cls(**{**document, "otherwise": Verdict(otherwise) if otherwise else None})


def not_checked(name: str, message: str) -> Check:
    """A check whose data are missing, with the reason."""
    return Check(name, False, message, None, checked=False)


@dataclass(frozen=True)
class MetricRow:
    """One judged measure.

    ``kind`` is ``comparison`` (``estimate`` is the improvement over the champion, positive =
    better; ``threshold`` is minus the margin), ``limit`` (``estimate`` is the version's own value),
    ``slice`` (either, within one value of a column) or ``shown`` (does not decide, no verdict).
    ``lower`` and ``upper`` bound the estimate, each with its own one-sided error rate; ``passes``
    is the side of the threshold on which the interval has to lie: ``above`` or ``below``.
    ``p_pass`` and ``p_fail`` are the p-values of the two one-sided tests, valid at every look where
    the gate looks repeatedly. ``units`` is what was counted as independent; ``decided_at`` the
    look that reached the verdict; ``forecast`` the units a verdict would take, when undecided;
    ``too_little`` why no verdict may be reached yet, whatever the interval shows.
    """

    name: str
    title: str
    kind: str
    verdict: Verdict | None
    sentence: str
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    threshold: float | None = None
    passes: str = "above"
    champion: float | None = None
    challenger: float | None = None
    p_pass: float | None = None
    p_fail: float | None = None
    rows: int = 0
    units: int = 0
    slice_column: str | None = None
    slice_value: str | None = None
    decided_at: int | None = None
    forecast: int | None = None
    too_little: str = ""

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            value = getattr(self, name)
            if value is not None:
                number = float(value)
                object.__setattr__(self, name, number if math.isfinite(number) else None)

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.verdict.value if self.verdict else None}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> MetricRow:
        verdict = document["verdict"]
        return cls(**{**document, "verdict": Verdict(verdict) if verdict else None})


_NUMBERS = (
    *("estimate", "lower", "upper", "threshold", "champion", "challenger"),
    *("p_pass", "p_fail"),
)


@dataclass(frozen=True)
class GateReport:
    """One run of a gate on one version, complete enough to repeat it.

    ``sentence`` states the verdict with the number that decided. ``counts`` are totals (rows,
    requests, blocks …), ``reproduction`` the inputs with their digests, ``attempts`` how often this
    gate has judged this version, or any version on the same data, this run included. ``detail``
    holds what the plots show, and the sums that the verdict follows from.
    """

    gate: Gate
    verdict: Verdict
    sentence: str
    tenant_id: str
    model_id: str
    version: int
    baseline: int | None
    bundle_digest: str
    policy: Mapping[str, Any]
    policy_fingerprint: str
    evidence_id: str
    metrics: tuple[MetricRow, ...] = ()
    checks: tuple[Check, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    attempts: int = 1
    report_uri: str | None = None
    reproduction: Mapping[str, Any] = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """All of it as plain finite JSON."""
        return {
            **{item.name: getattr(self, item.name) for item in fields(self)},
            "gate": self.gate.value,
            "verdict": self.verdict.value,
            "policy": dict(self.policy),
            "metrics": [row.document() for row in self.metrics],
            "checks": [check.document() for check in self.checks],
            "counts": dict(self.counts),
            "reproduction": dict(self.reproduction),
            "detail": dict(self.detail),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> GateReport:
        """The report that :meth:`document` wrote."""
        return cls(
            **{
                **document,
                "gate": Gate(document["gate"]),
                "verdict": Verdict(document["verdict"]),
                "metrics": tuple(MetricRow.from_document(row) for row in document["metrics"]),
                "checks": tuple(Check.from_document(item) for item in document["checks"]),
            }
        )

    def summary(self) -> dict[str, Any]:
        """The main numbers, small enough for the ledger and for XCom."""
        window = {
            key: self.reproduction[key] for key in ("start", "end") if key in self.reproduction
        }
        return {
            "sentence": self.sentence,
            **({"window": window} if window else {}),
            **{
                key: self.reproduction[key]
                for key in ("data_digest", "data_fingerprint")
                if self.reproduction.get(key)
            },
            "counts": dict(self.counts),
            "attempts": self.attempts,
            "metrics": [
                {name: row.document()[name] for name in _SUMMARY}
                for row in self.metrics
                if row.kind in ("comparison", "limit") or row.verdict is Verdict.FAIL
            ],
            "failed_checks": [
                {"name": check.name, "message": check.message}
                for check in self.checks
                if not check.ok and (check.checked or check.otherwise is not None)
            ],
            "not_checked": [check.name for check in self.checks if check.state == "not checked"],
        }

    def evidence(self) -> Evidence:
        """The evidence that the ledger keeps of this report."""
        return Evidence(
            evidence_id=self.evidence_id,
            gate=self.gate,
            verdict=self.verdict,
            bundle_digest=self.bundle_digest,
            baseline=self.baseline,
            policy_fingerprint=self.policy_fingerprint,
            summary=self.summary(),
            report_uri=self.report_uri,
            tenant_id=self.tenant_id,
            model_id=self.model_id,
            version=self.version,
        )


_SUMMARY = (
    *("name", "kind", "estimate", "lower", "upper", "threshold", "passes"),
    *("p_pass", "p_fail", "units", "rows", "slice_column", "slice_value", "verdict"),
)
