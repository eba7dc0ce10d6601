"""Evidence: a gate's recorded verdict, and when it counts.

Evidence counts only for exactly the bundle that was judged, against the version that is in
production at the moment of the write, under the model's current policy, while it is fresh, if it
was recorded after the version last left staging or production, and only if its verdict is PASS.
Of several that fit, the newest decides, so that repeating a gate until it passes is visible and a
later FAIL is not outvoted by an earlier PASS.

Evidence without a gate's own report is ``external``. It never overrides what a gate itself said:
while the gate's newest own verdict is not PASS, an external PASS does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from .canonical_json import digest
from .errors import InvalidInput
from .missing_requirement import Missing
from .stages import Gate, Requirement

__all__ = [
    "CLOCK_TOLERANCE",
    "Evidence",
    "Missing",
    "Origin",
    "Subject",
    "Verdict",
    "judge_evidence",
    "parse_gate",
    "parse_verdict",
]


class Verdict(StrEnum):
    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"


class Origin(StrEnum):
    """The origin of a verdict: the gate itself, with its report, or an external source."""

    GATE = "gate"
    EXTERNAL = "external"


#: How far ahead of the ledger's clock a time may lie before it counts as wrong.
CLOCK_TOLERANCE = timedelta(minutes=1)


@dataclass(frozen=True)
class Evidence:
    """One verdict of one gate on one version.

    ``baseline`` is the production version it was compared with, None when there was none.
    ``summary`` is plain finite JSON: the numbers behind the verdict. ``check`` names the additional
    check, for the gate ``check`` alone. The ledger sets the rest, whatever the caller wrote:
    ``recorded_at`` and ``recorded_by``; ``epoch``, the model's epoch at that moment; ``position``,
    1 for the version's first evidence, 2 for its second; and ``origin``. ``envelope`` is the signed
    statement of the gate, an in-toto statement in a DSSE envelope, if it signed one.
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
    check: str | None = None
    recorded_at: datetime | None = None
    recorded_by: str | None = None
    epoch: int = 0
    position: int = 0
    origin: Origin = Origin.EXTERNAL
    envelope: Mapping[str, Any] | None = None

    def content(self) -> dict[str, Any]:
        """The gate's statement as plain JSON: everything but what the ledger sets, and the
        signature over it."""
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
            "check": self.check,
        }

    def digest(self) -> str:
        """Digest of :meth:`document`. A promotion's ledger entry holds it, so that the evidence
        behind a promotion cannot be edited later without breaking the chain."""
        document = self.document()
        if self.envelope is None:  # what was recorded before evidence was signed keeps its digest
            del document["envelope"]
        return digest(document, field="evidence")

    def document(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        at = self.recorded_at
        return {
            **self.content(),
            "recorded_at": at.astimezone(UTC).isoformat(timespec="microseconds") if at else None,
            "recorded_by": self.recorded_by,
            "epoch": self.epoch,
            "position": self.position,
            "origin": self.origin.value,
            "envelope": None if self.envelope is None else dict(self.envelope),
        }


@dataclass(frozen=True)
class Subject:
    """The required subject of evidence, as read inside the write's own transaction.

    ``evidence_since`` is the epoch from which on evidence counts: the version's last move back.
    ``required_checks`` are the additional checks that the policy names. ``untrusted`` says why
    evidence is not signed as the policy requires, by evidence id.
    """

    tenant_id: str
    model_id: str
    version: int
    bundle_digest: str
    production: int | None
    policy_fingerprint: str
    max_age: timedelta
    approval_required: bool
    onnx_missing: bool = False
    evidence_since: int = 0
    required_checks: tuple[str, ...] = ()
    untrusted: Mapping[str, str] = field(default_factory=dict)


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
    groups: list[tuple[tuple[Gate, ...], str | None]] = []
    if required.any_gate:
        groups.append((required.any_gate, None))
    if required.checks_by_policy:
        groups.extend(((Gate.CHECK,), name) for name in subject.required_checks)
    if required.approval_by_policy and subject.approval_required:
        groups.append(((Gate.APPROVAL,), None))
    used: list[Evidence] = []
    missing: list[Missing] = []
    for gates, check in groups:
        named = [item for item in newest_first if item.check == check]
        passed, problems = _first_pass(gates, check, subject, named, now)
        used.extend(passed)
        missing.extend(problems)
    if required.any_gate and subject.onnx_missing:
        missing.append(
            Missing(
                "onnx_missing",
                "the model's policy requires a model.onnx that answers as the model does, and this "
                "version has none; its model card says why",
            )
        )
    return tuple(used), tuple(missing)


def _first_pass(
    gates: tuple[Gate, ...],
    check: str | None,
    subject: Subject,
    newest_first: list[Evidence],
    now: datetime,
) -> tuple[tuple[Evidence, ...], tuple[Missing, ...]]:
    refusal = _own_refusal(gates, subject, newest_first)
    problems: list[Missing] = []
    for gate in gates:
        problem = None
        for item in newest_first:
            if item.gate is not gate:
                continue
            misfit = _misfit(item, subject, now)
            if misfit is not None:
                problem = problem or misfit
                continue
            if item.verdict is not Verdict.PASS:
                problem = Missing(
                    "not_passed", f"{_named(item)} said {item.verdict}{_why(item)}", gate
                )
            elif item.origin is Origin.EXTERNAL and refusal is not None:
                problem = Missing(
                    "external_evidence",
                    f"{_named(refusal)} itself said {refusal.verdict}{_why(refusal)}; a PASS that "
                    f"was recorded without the gate's report ({item.evidence_id}) cannot take "
                    "that back; run the gate again",
                    gate,
                )
            else:
                return (item,), ()
            break
        if problem:
            problems.append(problem)
    if problems:
        return (), tuple(problems)
    what = f"check {check}" if check else f"{' or '.join(gates)} gate"
    return (), (Missing("no_evidence", f"there is no evidence of the {what}", gates[0]),)


def _own_refusal(
    gates: tuple[Gate, ...], subject: Subject, newest_first: list[Evidence]
) -> Evidence | None:
    """The newest verdict of one of ``gates`` itself on these files, if it is not PASS.

    Whatever its policy, baseline and age: a gate's refusal ends when that gate says PASS, and not
    because something around it has changed.
    """
    for gate in gates:
        for item in newest_first:
            own = item.gate is gate and item.origin is Origin.GATE
            if own and _is_about(item, subject) and item.bundle_digest == subject.bundle_digest:
                if item.verdict is not Verdict.PASS:
                    return item
                break
    return None


def _misfit(item: Evidence, subject: Subject, now: datetime) -> Missing | None:
    """Why this evidence is not about this subject, or None if it is."""

    def misfit(code: str, message: str) -> Missing:
        return Missing(code, f"the evidence of {_named(item)} {message}", item.gate)

    again = "obtain it again" if item.gate in (Gate.APPROVAL, Gate.CHECK) else "run the gate again"
    if not _is_about(item, subject):
        return misfit("other_version", "is about another version")
    if item.bundle_digest != subject.bundle_digest:
        return misfit("digest_mismatch", "is about other files than those of this version")
    if item.epoch < subject.evidence_since:
        return misfit(
            "before_last_exit",
            f"was recorded at epoch {item.epoch}, before entry {subject.evidence_since} took the "
            f"version back; {again}",
        )
    if item.baseline != subject.production:
        return misfit(
            "baseline_mismatch",
            f"compared with {_version(item.baseline)}, but production is now "
            f"{_version(subject.production)}; {again}",
        )
    if item.policy_fingerprint != subject.policy_fingerprint:
        return misfit("policy_mismatch", f"was made under another policy; {again}")
    if item.evidence_id in subject.untrusted:
        return misfit("untrusted_evidence", f"{subject.untrusted[item.evidence_id]}; {again}")
    if item.recorded_at is not None and item.recorded_at > now + CLOCK_TOLERANCE:
        return misfit(
            "future_dated",
            f"is dated {item.recorded_at:%Y-%m-%d %H:%M} UTC, but it is {now:%Y-%m-%d %H:%M} UTC; "
            f"set the clock of the machine that recorded it, and {again}",
        )
    if item.recorded_at is None or now - item.recorded_at > subject.max_age:
        days = subject.max_age / timedelta(days=1)
        return misfit("expired", f"is older than {days:g} days; {again}")
    return None


def _is_about(item: Evidence, subject: Subject) -> bool:
    return (item.tenant_id, item.model_id, item.version) == (
        subject.tenant_id,
        subject.model_id,
        subject.version,
    )


def _recorded(item: Evidence) -> tuple[int, int, str, str]:
    """The ledger's own order; clocks order only what was recorded before it counted."""
    at = item.recorded_at
    return (item.epoch, item.position, at.isoformat() if at else "", item.evidence_id)


def _named(item: Evidence) -> str:
    return f"the check {item.check}" if item.check else f"the {item.gate} gate"


def _why(item: Evidence) -> str:
    sentence = item.summary.get("sentence")
    return f": {sentence}" if isinstance(sentence, str) and sentence else ""


def _version(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
