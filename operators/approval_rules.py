"""The question before a promotion, and the rules that judge its answer. Knows no Airflow.

An answer is about what was shown: one bundle digest, one policy, one version in production. Where
any of them has changed by the time of the promotion, the answer no longer counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from model_lifecycle.registry.domain.evidence import Evidence, Verdict
from model_lifecycle.registry.domain.stages import Gate

APPROVE, REJECT = "Approve", "Reject"


@dataclass(frozen=True)
class Question:
    """The version that is to be promoted, and what it would replace. ``baseline`` is the version
    in production, None for none."""

    tenant_id: str
    model_id: str
    version: int
    bundle_digest: str
    baseline: int | None
    policy_fingerprint: str
    registered_by: str

    def document(self) -> dict[str, Any]:
        """The fields as plain JSON."""
        return asdict(self)

    def subject(self) -> str:
        return f"Promote {self.model_id} version {self.version} of {self.tenant_id} to production?"


@dataclass(frozen=True)
class Answer:
    """The answer to a :class:`Question`. Without a responder, ``choice`` is the default.

    ``at`` is an ISO instant.
    """

    choice: str
    at: str
    responder_id: str | None = None
    responder_name: str | None = None
    comment: str = ""

    @property
    def responder(self) -> str | None:
        return self.responder_name or self.responder_id

    def document(self) -> dict[str, Any]:
        """The fields as plain JSON."""
        return asdict(self)


def judge_answer(
    question: Question, answer: Answer, *, triggered_by: str | None
) -> tuple[Verdict, str]:
    """Judge the answer: its verdict, and a sentence with the reason.

    PASS only if somebody approved who neither started the run nor registered the version. An
    approval of one's own work is INVALID, which never counts as a pass.
    """
    comment = f": {answer.comment}" if answer.comment else ""
    if answer.responder is None:
        return Verdict.FAIL, "rejected: nobody answered in time"
    if answer.choice != APPROVE:
        return Verdict.FAIL, f"rejected by {answer.responder}{comment}"
    names = {
        name.casefold() for name in (answer.responder_id, answer.responder_name) if name is not None
    }
    if triggered_by is not None and triggered_by.casefold() in names:
        return Verdict.INVALID, f"{answer.responder} started this run; somebody else has to approve"
    if _persons(question.registered_by) & names:
        return Verdict.INVALID, (
            f"{answer.responder} registered this version; somebody else has to approve"
        )
    return Verdict.PASS, f"approved by {answer.responder}{comment}"


def approval_evidence(
    question: Question, answer: Answer, verdict: Verdict, sentence: str, *, evidence_id: str
) -> Evidence:
    """The answer as evidence, bound to what the person was shown."""
    return Evidence(
        evidence_id=evidence_id,
        gate=Gate.APPROVAL,
        verdict=verdict,
        bundle_digest=question.bundle_digest,
        baseline=question.baseline,
        policy_fingerprint=question.policy_fingerprint,
        summary={"sentence": sentence, "answer": answer.document()},
        tenant_id=question.tenant_id,
        model_id=question.model_id,
        version=question.version,
    )


def approval_body(
    question: Question,
    evidence: Iterable[Evidence],
    pages: Mapping[str, str | None],
    note: str = "",
) -> str:
    """The question in Markdown: what would be replaced, each gate's newest verdict with its
    numbers, and where its report is. ``pages`` are addresses of reports by evidence id."""
    replaced = "nothing" if question.baseline is None else f"version {question.baseline}"
    lines = [
        f"Version **{question.version}** of **{question.model_id}** would take the place of "
        f"{replaced} in production.",
        "",
        f"- Bundle: `{question.bundle_digest}`",
        f"- Policy: `{question.policy_fingerprint}`",
        f"- Registered by: {question.registered_by}",
        "",
        "| gate | verdict | what it says | numbers | report |",
        "|---|---|---|---|---|",
    ]
    newest = {item.gate: item for item in evidence}
    lines += [
        _row(item, pages.get(item.evidence_id))
        for item in newest.values()
        if item.gate is not Gate.APPROVAL
    ]
    lines += [
        "",
        "An approval counts for this bundle, under this policy, in place of this version.",
    ]
    return "\n".join([*lines, "", note] if note else lines)


def _row(item: Evidence, page: str | None) -> str:
    elsewhere = item.report_uri or ""
    if page is None and elsewhere.startswith(("http://", "https://")):
        page = elsewhere
    report = f"[report]({page})" if page else ""
    numbers = "; ".join(_number(row) for row in item.summary.get("metrics", ()))
    cells = (item.gate, item.verdict, item.summary.get("sentence", ""), numbers, report)
    return f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"


def _number(row: Mapping[str, Any]) -> str:
    """One judged measure: its estimate, the interval, and the bound that it has to clear."""
    figures = [row.get(name) for name in ("estimate", "lower", "upper", "threshold")]
    estimate, lower, upper, bound = ("?" if x is None else f"{x:.4g}" for x in figures)
    return f"{row.get('name')} {estimate} [{lower}, {upper}], {row.get('passes')} {bound}"


def _persons(actor: str) -> set[str]:
    """The names by which an actor of the ledger may be a person: ``airflow:dag/run for kim``,
    ``airflow-user:kim``, ``cli:kim`` and ``kim`` are all kim."""
    name = actor.rpartition(" for ")[2].casefold()
    return {name, name.partition(":")[2]} - {""}
