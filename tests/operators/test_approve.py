from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.domain.stages import Gate

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN = {"id": "7", "name": "ann"}


def _parked(task, ctx):
    from airflow.sdk.exceptions import TaskAwaitingInput

    with pytest.raises(TaskAwaitingInput) as parked:
        task.execute(ctx)
    return parked.value.kwargs


def _event(choice="Approve", user=ANN, comment=""):
    """What Airflow hands to a task whose question was answered, or not in time (no user)."""
    return {
        "chosen_options": [choice],
        "params_input": {"comment": comment},
        "responded_at": AT,
        "responded_by_user": user,
        "timedout": user is None,
    }


@pytest.fixture
def asked(monkeypatch):
    """What Airflow was given to show to people."""
    shown = []
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail",
        lambda **detail: shown.append(SimpleNamespace(**detail)),
    )
    return shown


@pytest.fixture
def staged(register, judge, promote, ask, model):
    """A version in staging that passed the shadow test, of a model that asks for approval."""

    def call(verdict: Verdict = Verdict.PASS) -> int:
        version = register()
        ask(
            lambda registry: registry.set_policy(
                *model.values(), PromotionPolicy(require_approval=True), actor="lead"
            )
        )
        judge(version, Gate.VALIDATION)
        promote(version, "staging", run_id=f"r{version}")
        judge(version, Gate.SHADOW, verdict)
        return version

    return call


@pytest.fixture
def approve(context, model, asked):
    """Run an approval task as Airflow does: park it, and resume it with the answer."""
    from model_lifecycle.operators import ApproveModelOperator

    def call(version, choice="Approve", user=ANN, comment="", **given):
        task = ApproveModelOperator(task_id="approve", version=str(version), **model)
        kwargs = _parked(task, context(task, **given))
        resumed = ApproveModelOperator(task_id="approve", version=str(version), **model)
        ctx = context(resumed, **given)
        return resumed.execute_complete(ctx, _event(choice, user, comment), **kwargs), ctx

    return call


@pytest.fixture
def approvals(ask, model):
    """The evidence of the gate ``approval``, read anew at each call."""

    def read(version):
        evidence = ask(lambda registry: registry.list_evidence(*model.values(), version))
        return [item for item in evidence if item.gate is Gate.APPROVAL]

    return read


def test_task_waits_without_a_worker(staged, context, model, asked):
    """The task parks itself; nobody's answer within a day is a rejection."""
    from airflow.sdk.exceptions import TaskAwaitingInput

    from model_lifecycle.operators import ApproveModelOperator

    task = ApproveModelOperator(task_id="approve", version=staged(), **model)
    with pytest.raises(TaskAwaitingInput) as parked:
        task.execute(context(task))
    (shown,) = asked

    assert parked.value.method_name == "execute_complete"
    assert parked.value.timeout.total_seconds() == 24 * 3600
    assert (shown.options, shown.defaults) == (["Approve", "Reject"], ["Reject"])


def test_question_shows_what_is_decided(staged, approve, asked, ask, model, tenant):
    """Version, digest, policy and each gate's verdict with its sentence are on the page."""
    version = staged()
    approve(version)
    (shown,) = asked
    found = ask(lambda registry: registry.get_version(*model.values(), version))

    assert shown.subject == f"Promote heart version 1 of {tenant} to production?"
    assert f"`{found.bundle_digest}`" in shown.body
    assert "would take the place of nothing in production" in shown.body
    assert "| shadow | PASS | accuracy 0.95: PASS |" in shown.body
    assert "| validation | PASS |" in shown.body


def test_approval_leads_to_production(staged, approve, approvals, promote, history, ask):
    """The answer is evidence of the gate, names the person, and lets the promotion through."""
    version = staged()
    told, _ = approve(version, comment="looks right")
    result, _ = promote(version, run_id="r1")
    (evidence,) = approvals(version)

    assert (told["verdict"], told["sentence"]) == ("PASS", "approved by ann: looks right")
    assert evidence.recorded_by.endswith(" for ann")
    assert evidence.summary["answer"]["responder_id"] == "7"
    assert evidence.evidence_id in {item["evidence_id"] for item in history()[-1].evidence}
    assert result["production"] == version


def test_without_an_answer_the_promotion_is_held(staged, promote, ask):
    """The core asks for approval where the policy does."""
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException, match="no evidence of the approval gate"):
        promote(staged())


@pytest.mark.parametrize(
    ("choice", "user", "sentence"),
    [
        ("Reject", ANN, "rejected by ann: too early"),
        ("Reject", None, "rejected: nobody answered in time"),
    ],
)
def test_rejection_is_evidence_and_blocks(
    staged, approve, approvals, promote, ask, choice, user, sentence
):
    """A rejection, and no answer in time, are recorded as FAIL, and the promotion is refused."""
    from airflow.sdk.exceptions import AirflowSkipException

    version = staged()
    approve(version, choice, user, comment="too early")
    (evidence,) = approvals(version)

    assert (evidence.verdict, evidence.summary["sentence"]) == (Verdict.FAIL, sentence)
    with pytest.raises(AirflowSkipException, match="approval gate said FAIL: rejected"):
        promote(version)


def test_rejection_skips_what_follows(staged, context, model, asked, approve):
    """The promotion after a rejection is not even tried."""
    from airflow.sdk import DAG
    from airflow.sdk.exceptions import DownstreamTasksSkipped

    from model_lifecycle.operators import ApproveModelOperator, PromoteModelOperator

    version = staged()
    with DAG(dag_id="d"):
        task = ApproveModelOperator(task_id="approve", version=version, **model)
        _ = task >> PromoteModelOperator(task_id="promote", version=version, **model)
    kwargs = _parked(task, context(task))

    with pytest.raises(DownstreamTasksSkipped) as skipped:
        task.execute_complete(context(task), _event("Reject"), **kwargs)

    assert skipped.value.tasks == ["promote"]


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ({"id": "1", "name": "kim"}, "kim started this run"),
        ({"id": "x", "name": "X"}, "registered"),
    ],
)
def test_nobody_approves_their_own_work(staged, approve, approvals, promote, ask, user, why):
    """Who started the run, or registered the version, cannot approve; it counts for nothing."""
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

    version = staged()
    with pytest.raises(AirflowFailException, match=rf"^self_approval: .*{why}"):
        approve(version, user=user)
    (evidence,) = approvals(version)

    assert evidence.verdict is Verdict.INVALID
    with pytest.raises(AirflowSkipException):
        promote(version)


def test_one_s_own_work_may_be_rejected(staged, approve, approvals):
    """Who started the run may well say no."""
    version = staged()
    approve(version, "Reject", {"id": "1", "name": "kim"})

    assert [item.verdict for item in approvals(version)] == [Verdict.FAIL]


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.INVALID])
def test_nobody_is_asked_to_waive_a_gate(staged, context, model, asked, verdict):
    """Where another gate has not passed, the task is skipped and nobody is asked."""
    from airflow.sdk.exceptions import AirflowSkipException

    from model_lifecycle.operators import ApproveModelOperator

    task = ApproveModelOperator(task_id="approve", version=staged(verdict), **model)
    with pytest.raises(
        AirflowSkipException, match=f"No approval is requested: the shadow gate said {verdict}"
    ):
        task.execute(context(task))

    assert asked == []


def test_approval_does_not_waive_a_gate_that_fails_later(staged, approve, judge, promote, ask):
    """A verdict that comes after the approval still decides."""
    from airflow.sdk.exceptions import AirflowSkipException

    version = staged()
    approve(version)
    judge(version, Gate.SHADOW, Verdict.FAIL)

    with pytest.raises(AirflowSkipException, match="shadow gate said FAIL"):
        promote(version)


def test_approval_is_for_the_policy_that_was_shown(staged, context, model, asked, ask, promote):
    """An answer that comes after the policy was changed is about the old one."""
    from airflow.sdk.exceptions import AirflowSkipException

    from model_lifecycle.operators import ApproveModelOperator

    version = staged()
    task = ApproveModelOperator(task_id="approve", version=version, **model)
    kwargs = _parked(task, context(task))
    stricter = PromotionPolicy(require_approval=True, evidence_max_age_days=7)
    ask(lambda registry: registry.set_policy(*model.values(), stricter, actor="lead"))
    task.execute_complete(context(task), _event(), **kwargs)

    with pytest.raises(AirflowSkipException, match="approval gate was made under another policy"):
        promote(version)


def test_retry_after_an_answer_does_not_ask_again(staged, context, model, asked, approvals,
                                                  monkeypatch):  # fmt: skip
    """If the registry was away when the answer came, the next try records the answer it has."""
    from model_lifecycle.operators import ApproveModelOperator
    from model_lifecycle.registry.domain.errors import BackendUnavailable
    from model_lifecycle.registry.model_registry import ModelRegistry

    version, kept = staged(), {}
    task = ApproveModelOperator(task_id="approve", version=version, **model)
    kwargs = _parked(task, context(task, kept=kept))

    async def away(*_, **__):
        raise BackendUnavailable("ledger", "no connection")

    with monkeypatch.context() as patch:
        patch.setattr(ModelRegistry, "record_evidence", away)
        with pytest.raises(BackendUnavailable):
            task.execute_complete(context(task, kept=kept), _event(), **kwargs)
    told = task.execute(context(task, try_number=2, kept=kept))

    assert (told["verdict"], told["approver"], len(asked)) == ("PASS", "ann", 1)
    assert [item.verdict for item in approvals(version)] == [Verdict.PASS]


def test_people_are_told_that_they_are_asked_and_of_a_rejection(staged, context, model, asked):
    """A notifier hears of the question and of the rejection."""
    from airflow.sdk import BaseNotifier

    from model_lifecycle.operators import ApproveModelOperator

    heard = []

    class Tell(BaseNotifier):
        def notify(self, context):
            heard.append((context["lifecycle"]["event"], context["lifecycle"]["sentence"]))

    task = ApproveModelOperator(task_id="approve", version=staged(), notifiers=Tell(), **model)
    kwargs = _parked(task, context(task))
    task.execute_complete(context(task), _event("Reject", comment="too early"), **kwargs)

    assert heard == [
        ("approval_asked", f"Promote heart version 1 of {model['tenant_id']} to production?"),
        ("rejected", "rejected by ann: too early"),
    ]


def test_default_answer_cannot_be_approval(model):
    """Nobody's silence promotes a model."""
    from model_lifecycle.operators import ApproveModelOperator

    with pytest.raises(ValueError, match="has rejected"):
        ApproveModelOperator(task_id="approve", version=1, defaults="Approve", **model)


def test_form_has_the_comment_and_the_user_s_own_fields(model):
    """A comment can always be given; fields of the DAG's own form do not show up."""
    from airflow.sdk import DAG, Param

    from model_lifecycle.operators import ApproveModelOperator

    ticket = Param("", type="string", title="Ticket")
    with DAG(dag_id="d", params={"seed": 1}):
        task = ApproveModelOperator(task_id="a", version=1, params={"ticket": ticket}, **model)

    assert list(task.serialized_params) == ["comment", "ticket"]
    assert task.serialized_params["ticket"]["schema"]["title"] == "Ticket"


def test_comment_is_optional_in_form_and_rest(model):
    """The form's button is enabled without a comment, as an answer over REST is valid without."""
    from airflow.sdk.definitions.param import Param

    from model_lifecycle.operators import ApproveModelOperator

    task = ApproveModelOperator(task_id="approve", version=1, **model)
    field = task.serialized_params["comment"]["schema"]

    assert "null" in field["type"]
    assert "optional" in field["title"]
    for answer in (None, "", "looks sound"):
        Param(answer, **field).resolve()
