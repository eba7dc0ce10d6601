from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from support.approvals import ANN, answer_event, parked
from support.task_fixtures import (
    CallRegistry,
    History,
    MakeContext,
    ModelNames,
    Promote,
    TaskContext,
)

from model_lifecycle.registry.domain.evidence import Evidence, Verdict

if TYPE_CHECKING:
    pass


def test_task_waits_without_a_worker(
    staged: Callable[..., int],
    context: MakeContext,
    model: ModelNames,
    questions: list[SimpleNamespace],
) -> None:
    """The task parks itself; nobody's answer within a day is a rejection."""
    from airflow.sdk.exceptions import TaskAwaitingInput

    from model_lifecycle.operators import ApproveModelOperator

    task = ApproveModelOperator(task_id="approve", version=staged(), **model)
    with pytest.raises(TaskAwaitingInput) as parked:
        task.execute(context(task))
    (form,) = questions

    assert parked.value.method_name == "execute_complete"
    assert parked.value.timeout.total_seconds() == 24 * 3600
    assert (form.options, form.defaults) == (["Approve", "Reject"], ["Reject"])


def test_approval_leads_to_production(
    staged: Callable[..., int],
    approve: Callable[..., tuple[dict[str, Any], TaskContext]],
    approvals: Callable[[int], list[Evidence]],
    promote: Promote,
    history: History,
    ask: CallRegistry,
) -> None:
    """The answer is evidence of the gate, names the person, and lets the promotion through."""
    version = staged()
    decision, _ = approve(version, comment="looks right")
    result, _ = promote(version, run_id="r1")
    (evidence,) = approvals(version)

    assert (decision["verdict"], decision["sentence"]) == ("PASS", "approved by ann: looks right")
    assert evidence.recorded_by is not None
    assert evidence.recorded_by.endswith(" for ann")
    assert evidence.summary["answer"]["responder_id"] == "7"
    assert evidence.evidence_id in {item["evidence_id"] for item in history()[-1].evidence}
    assert result["production"] == version


def test_without_an_answer_the_promotion_is_held(
    staged: Callable[..., int], promote: Promote, ask: CallRegistry
) -> None:
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
    staged: Callable[..., int],
    approve: Callable[..., tuple[dict[str, Any], TaskContext]],
    approvals: Callable[[int], list[Evidence]],
    promote: Promote,
    ask: CallRegistry,
    choice: str,
    user: dict[str, str] | None,
    sentence: str,
) -> None:
    """A rejection, and no answer in time, are recorded as FAIL, and the promotion is refused."""
    from airflow.sdk.exceptions import AirflowSkipException

    version = staged()
    approve(version, choice, user, comment="too early")
    (evidence,) = approvals(version)

    assert (evidence.verdict, evidence.summary["sentence"]) == (Verdict.FAIL, sentence)
    with pytest.raises(AirflowSkipException, match="approval gate said FAIL: rejected"):
        promote(version)


def test_rejection_skips_what_follows(
    staged: Callable[..., int],
    context: MakeContext,
    model: ModelNames,
    questions: list[SimpleNamespace],
    approve: Callable[..., tuple[dict[str, Any], TaskContext]],
) -> None:
    """The promotion after a rejection is not even tried."""
    from airflow.sdk import DAG
    from airflow.sdk.exceptions import DownstreamTasksSkipped

    from model_lifecycle.operators import ApproveModelOperator, PromoteModelOperator

    version = staged()
    with DAG(dag_id="d"):
        task = ApproveModelOperator(task_id="approve", version=version, **model)
        _ = task >> PromoteModelOperator(task_id="promote", version=version, **model)
    kwargs = parked(task, context(task))

    with pytest.raises(DownstreamTasksSkipped) as skipped:
        task.execute_complete(context(task), answer_event("Reject"), **kwargs)

    assert skipped.value.tasks == ["promote"]


def test_retry_after_an_answer_does_not_ask_again(
    staged: Callable[..., int],
    context: MakeContext,
    model: ModelNames,
    questions: list[SimpleNamespace],
    approvals: Callable[[int], list[Evidence]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the registry was away when the answer came, the next try records the answer it has."""
    from model_lifecycle.operators import ApproveModelOperator
    from model_lifecycle.registry.domain.errors import BackendUnavailable
    from model_lifecycle.registry.model_registry import ModelRegistry

    stored: dict[str, Any] = {}
    version = staged()
    task = ApproveModelOperator(task_id="approve", version=version, **model)
    kwargs = parked(task, context(task, stored=stored))

    async def away(*_: object, **__: object) -> None:
        raise BackendUnavailable("ledger", "no connection")

    with monkeypatch.context() as patch:
        patch.setattr(ModelRegistry, "record_evidence", away)
        with pytest.raises(BackendUnavailable):
            task.execute_complete(context(task, stored=stored), answer_event(), **kwargs)
    decision = task.execute(context(task, try_number=2, stored=stored))

    assert (decision["verdict"], decision["approver"], len(questions)) == ("PASS", "ann", 1)
    assert [item.verdict for item in approvals(version)] == [Verdict.PASS]


def test_cleared_approval_is_requested_again(
    staged: Callable[..., int],
    context: MakeContext,
    model: ModelNames,
    questions: list[SimpleNamespace],
    approvals: Callable[[int], list[Evidence]],
) -> None:
    """After a clear, the earlier answer is not used; a new one is requested and recorded."""
    from model_lifecycle.operators import ApproveModelOperator

    stored: dict[str, Any] = {}
    version = staged()
    task = ApproveModelOperator(task_id="approve", version=version, **model)
    kwargs = parked(task, context(task, stored=stored))
    first = task.execute_complete(context(task, stored=stored), answer_event("Reject"), **kwargs)
    cleared: dict[str, Any] = {"try_number": 2, "cleared_after": 1, "stored": stored}
    kwargs = parked(task, context(task, **cleared))
    second = task.execute_complete(context(task, **cleared), answer_event(), **kwargs)

    assert (first["verdict"], second["verdict"], len(questions)) == ("FAIL", "PASS", 2)
    assert sorted(item.verdict for item in approvals(version)) == [Verdict.FAIL, Verdict.PASS]


def test_people_are_told_that_they_are_asked_and_of_a_rejection(
    staged: Callable[..., int],
    context: MakeContext,
    model: ModelNames,
    questions: list[SimpleNamespace],
) -> None:
    """A notifier hears of the question and of the rejection."""
    from airflow.sdk import BaseNotifier

    from model_lifecycle.operators import ApproveModelOperator

    heard = []

    class Tell(BaseNotifier):
        def notify(self, context: Any) -> None:
            heard.append((context["lifecycle"]["event"], context["lifecycle"]["sentence"]))

    task = ApproveModelOperator(task_id="approve", version=staged(), notifiers=Tell(), **model)
    kwargs = parked(task, context(task))
    task.execute_complete(context(task), answer_event("Reject", comment="too early"), **kwargs)

    assert heard == [
        ("approval_asked", f"Promote heart version 1 of {model['tenant_id']} to production?"),
        ("rejected", "rejected by ann: too early"),
    ]


def test_default_answer_cannot_be_approval(model: ModelNames) -> None:
    """Nobody's silence promotes a model."""
    from model_lifecycle.operators import ApproveModelOperator

    with pytest.raises(ValueError, match="counts as a rejection"):
        ApproveModelOperator(task_id="approve", version=1, defaults="Approve", **model)


def test_form_has_the_comment_and_the_user_s_own_fields(model: ModelNames) -> None:
    """A comment can always be given; fields of the DAG's own form do not show up."""
    from airflow.sdk import DAG, Param

    from model_lifecycle.operators import ApproveModelOperator

    ticket = Param("", type="string", title="Ticket")
    with DAG(dag_id="d", params={"seed": 1}):
        task = ApproveModelOperator(task_id="a", version=1, params={"ticket": ticket}, **model)

    assert list(task.serialized_params) == ["comment", "ticket"]
    assert task.serialized_params["ticket"]["schema"]["title"] == "Ticket"


def test_comment_is_optional_in_form_and_rest(model: ModelNames) -> None:
    """The form's button is enabled without a comment, as an answer over REST is valid without."""
    from airflow.sdk.definitions.param import Param

    from model_lifecycle.operators import ApproveModelOperator

    task = ApproveModelOperator(task_id="approve", version=1, **model)
    field = task.serialized_params["comment"]["schema"]

    assert "null" in field["type"]
    assert "optional" in field["title"]
    for answer in (None, "", "looks sound"):
        Param(answer, **field).resolve()
