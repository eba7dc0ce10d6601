"""Approval as a task: a person is asked, and the answer is evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskAwaitingInput

from model_lifecycle.registry.domain.evidence import Evidence, Verdict
from model_lifecycle.registry.domain.identifiers import parse_version
from model_lifecycle.registry.domain.models import Readiness
from model_lifecycle.registry.domain.stages import Gate, Stage

from .approval_rules import REJECT, Answer, Question, approval_body, approval_evidence, judge_answer
from .base import LifecycleOperator
from .gate_operator import report_page
from .links import GateReportLink, ModelVersionLink
from .runtime.notifications import as_list, build_event, count, notify
from .runtime.task_identity import evidence_id, person, state_key

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier, Context

    from model_lifecycle.registry.model_registry import ModelRegistry

#: How long a person has to answer, unless the DAG says otherwise.
RESPONSE_TIMEOUT = timedelta(days=1)


class ApproveModelOperator(LifecycleOperator, ApprovalOperator):
    """Asks a person whether a version in staging may go to production.

    The task waits as ``awaiting_input``, without a worker. The answer is recorded as evidence of
    the gate ``approval``, with the person's name, for the bundle, policy and production version
    that the form showed. ``Reject``, and no answer in time, are recorded as FAIL and skip the
    downstream tasks. An approval by the person who started the run or registered the version is
    recorded as INVALID and fails the task; clear it to ask again. While evidence of another gate is
    missing, no approval is requested and the task is skipped: an approval cannot replace a gate.

    Returns ``version``, ``verdict``, ``sentence``, ``evidence_id`` and ``approver``.

    :param version: the version to approve; text from a template is accepted.
    :param subject: the headline; default: the model and version.
    :param body: Markdown to append to the form's body: bundle, policy, verdicts with their numbers.
    :param response_timeout: time limit for the answer; default: one day.
    :param assigned_users: users who may answer, as ``{"id": …, "name": …}``; default: all.
    :param notifiers: Airflow notifiers to call when approval is requested, and on a rejection;
        their context has ``lifecycle``: see :mod:`model_lifecycle.operators.runtime.notifications`.
    """

    template_fields: Sequence[str] = (
        *LifecycleOperator.template_fields,
        "version",
        "subject",
        "body",
    )
    operator_extra_links = (GateReportLink(), ModelVersionLink())
    ui_color = "#f5ecc9"

    def __init__(
        self,
        *,
        version: int | str,
        subject: str = "",
        body: str = "",
        response_timeout: timedelta = RESPONSE_TIMEOUT,
        params: Mapping[str, Any] | None = None,
        notifiers: BaseNotifier | Iterable[BaseNotifier] | None = None,
        **kwargs: Any,
    ) -> None:
        if "defaults" in kwargs:
            raise ValueError("'defaults' cannot be set: no answer in time counts as a rejection")
        comment = Param(
            None,
            # Null among the types: otherwise Airflow's form asks for a text, and both buttons stay
            # disabled until there is one.
            type=["null", "string"],
            title="Comment (optional)",
            description="Why. The ledger keeps it. At most 1000 characters.",
            maxLength=1000,
            source="task",
        )
        super().__init__(
            subject=subject,
            body=body,
            defaults=REJECT,
            response_timeout=response_timeout,
            params={"comment": comment, **_own(params)},
            **kwargs,
        )
        # Not Airflow's own: a notifier that fails must not keep the question from being asked.
        self.outcome_notifiers = as_list(notifiers)
        self.version = version

    def execute(self, context: Context) -> dict[str, Any]:
        stored = _store(context).get(self._key(context))
        if stored:
            self.log.info("Answered in an earlier try")
            question, answer = Question(**stored["question"]), Answer(**stored["answer"])
            return self._conclude(context, question, answer, stored["page"])
        question, evidence, readiness, files = self.call_registry(self._look)
        missing = [item for item in readiness.missing if item.gate is not Gate.APPROVAL]
        if missing:
            context["ti"].xcom_push(key="refusal", value=readiness.document())
            raise AirflowSkipException(
                "No approval is requested: " + "; ".join(item.message for item in missing)
            )
        pages = {
            item.evidence_id: GateReportLink.address(
                self.hook, files.get(item.evidence_id), item.document()
            )
            for item in evidence
        }
        newest = next((page for page in reversed(pages.values()) if page), None)
        self._link(context, newest)
        self.subject = self.subject or question.subject()
        self.body = approval_body(question, evidence, pages, self.body or "")
        self.log.info("%s\n%s", self.subject, self.body)
        try:
            ApprovalOperator.execute(self, context)
        except TaskAwaitingInput as waiting:
            notification = build_event("approval_asked", self.subject, question.document())
            notify(context, self.outcome_notifiers, {**notification, "url": self._form(context)})
            # What was shown has to come back with the answer: this object does not live on.
            waiting.kwargs = {"question": question.document(), "page": newest}
            raise
        raise AirflowFailException("Airflow does not wait for the answer")

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any],
        question: Mapping[str, Any] | None = None,
        page: str | None = None,
    ) -> dict[str, Any]:
        """Record the answer; skip what follows if it is no approval."""
        HITLOperator.execute_complete(self, context=context, event=event)
        if question is None:
            raise AirflowFailException("the answer came back without its question")
        answer = _answer(event)
        # Stored first: if the registry is unavailable now, the next try need not ask again.
        _store(context).set(
            self._key(context),
            {"question": dict(question), "answer": answer.document(), "page": page},
        )
        return self._conclude(context, Question(**question), answer, page)

    def _conclude(
        self, context: Context, question: Question, answer: Answer, page: str | None
    ) -> dict[str, Any]:
        self._link(context, page)
        verdict, sentence = judge_answer(question, answer, triggered_by=person(context))
        item = approval_evidence(
            question, answer, verdict, sentence, evidence_id=self._evidence_id(context)
        )
        actor = replace(self.actor(context), on_behalf_of=answer.responder)

        async def work(registry: ModelRegistry) -> None:
            await registry.record_evidence(
                self.tenant_id, self.model_id, question.version, item, actor=actor
            )

        self.call_registry(work)
        decision = {
            "tenant_id": self.tenant_id,
            "model_id": self.model_id,
            "version": question.version,
            "verdict": verdict.value,
            "sentence": sentence,
            "evidence_id": item.evidence_id,
            "approver": answer.responder,
        }
        self.log.info("%s: %s", verdict, sentence)
        context["ti"].xcom_push(key="decision", value=decision)
        count("verdicts", gate=Gate.APPROVAL.value, verdict=verdict.value)
        if verdict is not Verdict.PASS:
            notify(context, self.outcome_notifiers, build_event("rejected", sentence, decision))
        if verdict is Verdict.INVALID:
            raise AirflowFailException(f"self_approval: {sentence}; clear this task to ask again")
        if verdict is not Verdict.PASS and self.fail_on_reject:
            raise AirflowFailException(sentence)
        if verdict is not Verdict.PASS:
            self._skip_what_follows(context)
        return decision

    def _link(self, context: Context, page: str | None) -> None:
        """The buttons: set in each process that works on the task, since the last one counts."""
        subject = {"version": parse_version(self.version)}
        ModelVersionLink.publish(context, self.hook, self.tenant_id, self.model_id, subject)
        if page:
            GateReportLink.keep(context, page)

    def _skip_what_follows(self, context: Context) -> None:
        task = context["task"]
        if not task.downstream_task_ids:
            return
        following = (
            task.get_flat_relatives(upstream=False)
            if self.ignore_downstream_trigger_rules
            else task.get_direct_relatives(upstream=False)
        )
        self.skip(ti=context["ti"], tasks=[item for item in following if not item.is_teardown])

    async def _look(
        self, registry: ModelRegistry
    ) -> tuple[Question, list[Evidence], Readiness, dict[str, str]]:
        """The question, the evidence so far, the missing requirements, and the reports' paths."""
        model, version = (self.tenant_id, self.model_id), parse_version(self.version)
        readiness = await registry.readiness(*model, version, Stage.PRODUCTION)
        metadata = await registry.get_version(*model, version)
        evidence = await registry.list_evidence(*model, version)
        policy = await registry.get_policy(*model)
        if not policy.require_approval:
            self.log.warning(
                "The policy of %s does not require approval: a promotion from elsewhere does not "
                "wait for this answer. Set require_approval in its policy",
                self.model_id,
            )
        assert metadata is not None
        question = Question(
            *model,
            version=version,
            bundle_digest=metadata.bundle_digest,
            baseline=readiness.production,
            policy_fingerprint=policy.fingerprint,
            registered_by=metadata.created_by,
        )
        files = {item.evidence_id: report_page(registry, item.report_uri) for item in evidence}
        return question, evidence, readiness, {key: path for key, path in files.items() if path}

    def _form(self, context: Context) -> str | None:
        """URL of the approval form; None if Airflow does not know its own address."""
        try:
            return self.generate_link_to_ui_from_context(context=context)
        except ValueError:
            return None

    def _evidence_id(self, context: Context) -> str:
        return evidence_id(context, self.version, "approval")

    def _key(self, context: Context) -> str:
        """Key of the stored answer. Clearing the task changes it and requests a new answer."""
        return state_key(context, f"answer-{self.version}")


def _own(params: Mapping[str, Any] | None) -> dict[str, Any]:
    """The form's fields as they were declared: reading them from Airflow's mapping would give
    their values."""
    if isinstance(params, ParamsDict):
        return {name: params.get_param(name) for name in params}
    return dict(params or {})


def _answer(event: Mapping[str, Any]) -> Answer:
    at, user = event["responded_at"], event.get("responded_by_user") or {}
    (choice,) = event["chosen_options"]
    return Answer(
        choice=choice,
        at=at.isoformat() if isinstance(at, datetime) else str(at),
        responder_id=user.get("id"),
        responder_name=user.get("name"),
        comment=str((event.get("params_input") or {}).get("comment") or "").strip(),
    )


def _store(context: Context) -> Any:
    """The store that survives a try of the task."""
    return context["task_state_store"]
