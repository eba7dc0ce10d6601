"""Evidence: a gate's recorded verdict, and when it counts.

Evidence counts only for exactly the bundle that was judged, against the version that is in
production at the moment of the write, under the model's current policy, while it is fresh, and
only if its verdict is PASS. Of several that fit, the newest decides, so that repeating a gate
until it passes is visible and a later FAIL is not outvoted by an earlier PASS.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from .canonical import digest
from .errors import InvalidInput
from .stages import Gate, Requirement


class Verdict(StrEnum):
    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"


@dataclass(frozen=True)
class Evidence:
    """One verdict of one gate on one version.

    ``baseline`` is the production version it was compared with, None when there was none.
    ``summary`` is plain finite JSON: the numbers behind the verdict. ``recorded_at`` and
    ``recorded_by`` are set by the ledger, whatever the caller wrote.
    """

    evidence_id: str
    gate: Gate
    verdict: Verdict
    bundle_digest: str
    baseline: int | None
    policy_fingerprint: str
    summary: dict[str, Any] = field(default_factory=dict)
    report_uri: str | None = None
    tenant_id: str | None = None
    model_id: str | None = None
    version: int | None = None
    recorded_at: datetime | None = None
    recorded_by: str | None = None

    def content(self) -> dict[str, Any]:
        """What the gate said, as plain JSON: everything but when and by whom it was recorded."""
        return {
            "evidence_id": self.evidence_id,
            "gate": self.gate.value,
            "verdict": self.verdict.value,
            "bundle_digest": self.bundle_digest,
            "baseline": self.baseline,
            "policy_fingerprint": self.policy_fingerprint,
            "summary": self.summary,
            "report_uri": self.report_uri,
            "tenant_id": self.tenant_id,
            "model_id": self.model_id,
            "version": self.version,
        }

    def digest(self) -> str:
        """Digest of :meth:`content`. A promotion's ledger entry holds it, so that the evidence
        behind a promotion cannot be edited later without breaking the chain."""
        return digest(self.content(), field="evidence")

    def document(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        return {
            **self.content(),
            "recorded_at": self.recorded_at.isoformat() if self.recorded_at else None,
            "recorded_by": self.recorded_by,
        }


@dataclass(frozen=True)
class Subject:
    """What evidence has to be about, as read inside the write's own transaction."""

    tenant_id: str
    model_id: str
    version: int
    bundle_digest: str
    production: int | None
    policy_fingerprint: str
    max_age: timedelta
    approval_required: bool
    onnx_missing: bool = False


@dataclass(frozen=True)
class Missing:
    """One thing that stands between a version and a stage, in a code and in words."""

    code: str
    message: str
    gate: Gate | None = None

    def document(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "gate": self.gate.value if self.gate else None,
            "message": self.message,
        }


def parse_verdict(value: Verdict | str) -> Verdict:
    """``value`` as a verdict; anything else, NaN and None included, raises InvalidInput."""
    try:
        return Verdict(value)
    except ValueError:
        raise InvalidInput(
            f"verdict {value!r:.80} is not valid: use one of {', '.join(Verdict)}", field="verdict"
        ) from None


def parse_gate(value: Gate | str) -> Gate:
    """``value`` as a gate. Raises :class:`InvalidInput`."""
    try:
        return Gate(value)
    except ValueError:
        raise InvalidInput(
            f"gate {value!r:.80} is not valid: use one of {', '.join(Gate)}", field="gate"
        ) from None


def judge_evidence(
    required: Requirement, subject: Subject, evidence: Iterable[Evidence], *, now: datetime
) -> tuple[tuple[Evidence, ...], tuple[Missing, ...]]:
    """Which of ``evidence`` fulfils ``required``, and what is still missing.

    A pure function: the ledger calls it inside the transaction that moves the stage, and
    ``readiness`` calls it to tell in advance what that would say.
    """
    newest_first = sorted(evidence, key=_recorded, reverse=True)
    used: list[Evidence] = []
    missing: list[Missing] = []
    if required.any_gate:
        found, problems = _first_pass(required.any_gate, subject, newest_first, now)
        used.extend(found)
        missing.extend(problems)
    if required.any_gate and subject.onnx_missing:
        missing.append(
            Missing(
                "no_onnx",
                "the model's policy requires a model.onnx that answers as the model does, and this "
                "version has none; its model card says why",
            )
        )
    if required.approval_by_policy and subject.approval_required:
        found, problems = _first_pass((Gate.APPROVAL,), subject, newest_first, now)
        used.extend(found)
        missing.extend(problems)
    return tuple(used), tuple(missing)


def _first_pass(
    gates: tuple[Gate, ...], subject: Subject, newest_first: list[Evidence], now: datetime
) -> tuple[tuple[Evidence, ...], tuple[Missing, ...]]:
    problems: list[Missing] = []
    for gate in gates:
        of_gate = [item for item in newest_first if item.gate is gate]
        problem = None
        for item in of_gate:
            misfit = _misfit(item, subject, now)
            if misfit is None and item.verdict is Verdict.PASS:
                return (item,), ()
            if misfit is None:
                problem = Missing(
                    "not_passed", f"the {gate} gate said {item.verdict}{_why(item)}", gate
                )
                break
            problem = problem or misfit
        if problem:
            problems.append(problem)
    if problems:
        return (), tuple(problems)
    names = " or ".join(gates)
    return (), (Missing("no_evidence", f"there is no evidence of the {names} gate", gates[0]),)


def _misfit(item: Evidence, subject: Subject, now: datetime) -> Missing | None:
    """Why this evidence is not about this subject, or None if it is."""

    def misfit(code: str, message: str) -> Missing:
        return Missing(code, f"the evidence of the {item.gate} gate {message}", item.gate)

    if (item.tenant_id, item.model_id, item.version) != (
        subject.tenant_id,
        subject.model_id,
        subject.version,
    ):
        return misfit("other_version", "is about another version")
    if item.bundle_digest != subject.bundle_digest:
        return misfit("other_bundle", "is about other files than those of this version")
    if item.baseline != subject.production:
        return misfit(
            "other_baseline",
            f"compared with {_version(item.baseline)}, but production is now "
            f"{_version(subject.production)}; run the gate again",
        )
    if item.policy_fingerprint != subject.policy_fingerprint:
        return misfit("other_policy", "was made under another policy; run the gate again")
    if item.recorded_at is None or not _fresh(item.recorded_at, subject.max_age, now):
        return misfit("expired", f"is older than {subject.max_age.days} days; run the gate again")
    return None


def _fresh(recorded_at: datetime, max_age: timedelta, now: datetime) -> bool:
    return now - recorded_at <= max_age


def _recorded(item: Evidence) -> tuple[str, str]:
    return (item.recorded_at.isoformat() if item.recorded_at else "", item.evidence_id)


def _why(item: Evidence) -> str:
    sentence = item.summary.get("sentence")
    return f": {sentence}" if isinstance(sentence, str) and sentence else ""


def _version(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
