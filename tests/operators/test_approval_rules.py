from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from support.approvals import answer_event, parked
from support.task_fixtures import (
    CallRegistry,
    Judge,
    MakeContext,
    ModelNames,
    Promote,
    TaskContext,
)

from model_lifecycle.registry.domain.evidence import Evidence, Verdict
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.domain.stages import Gate

if TYPE_CHECKING:
    pass


def test_question_shows_what_is_decided(
    staged: Callable[..., int],
    approve: Callable[..., tuple[dict[str, Any], TaskContext]],
    questions: list[SimpleNamespace],
    ask: CallRegistry,
    model: ModelNames,
    tenant: str,
) -> None:
    """Version, digest, policy and each gate's verdict with its sentence are on the page."""
    version = staged()
    approve(version)
    (form,) = questions
    version_metadata = ask(lambda registry: registry.get_version(**model, version=version))

    assert version_metadata is not None
    assert form.subject == f"Promote heart version 1 of {tenant} to production?"
    assert f"`{version_metadata.bundle_digest}`" in form.body
    assert "would take the place of nothing in production" in form.body
    assert "| shadow | PASS | accuracy 0.95: PASS |" in form.body
    assert "| validation | PASS |" in form.body


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ({"id": "1", "name": "kim"}, "kim started this run"),
        ({"id": "x", "name": "X"}, "registered"),
    ],
)
def test_nobody_approves_their_own_work(
    staged: Callable[..., int],
    approve: Callable[..., tuple[dict[str, Any], TaskContext]],
    approvals: Callable[[int], list[Evidence]],
    promote: Promote,
    ask: CallRegistry,
    user: dict[str, str],
    why: str,
) -> None:
    """The person who started the run or registered the version cannot approve."""
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

    version = staged()
    with pytest.raises(AirflowFailException, match=rf"^self_approval: .*{why}"):
        approve(version, user=user)
    (evidence,) = approvals(version)

    assert evidence.verdict is Verdict.INVALID
    with pytest.raises(AirflowSkipException):
        promote(version)


def test_one_s_own_work_may_be_rejected(
    staged: Callable[..., int],
    approve: Callable[..., tuple[dict[str, Any], TaskContext]],
    approvals: Callable[[int], list[Evidence]],
) -> None:
    """The person who started the run may reject it."""
    version = staged()
    approve(version, "Reject", {"id": "1", "name": "kim"})

    assert [item.verdict for item in approvals(version)] == [Verdict.FAIL]


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.INVALID])
def test_nobody_is_asked_to_waive_a_gate(
    staged: Callable[..., int],
    context: MakeContext,
    model: ModelNames,
    questions: list[SimpleNamespace],
    verdict: Verdict,
) -> None:
    """Where another gate has not passed, the task is skipped and nobody is asked."""
    from airflow.sdk.exceptions import AirflowSkipException

    from model_lifecycle.operators import ApproveModelOperator

    task = ApproveModelOperator(task_id="approve", version=staged(verdict), **model)
    with pytest.raises(
        AirflowSkipException, match=f"No approval is requested: the shadow gate said {verdict}"
    ):
        task.execute(context(task))

    assert questions == []


def test_approval_does_not_waive_a_gate_that_fails_later(
    staged: Callable[..., int],
    approve: Callable[..., tuple[dict[str, Any], TaskContext]],
    judge: Judge,
    promote: Promote,
    ask: CallRegistry,
) -> None:
    """A verdict that comes after the approval still decides."""
    from airflow.sdk.exceptions import AirflowSkipException

    version = staged()
    approve(version)
    judge(version, Gate.SHADOW, Verdict.FAIL)

    with pytest.raises(AirflowSkipException, match="shadow gate said FAIL"):
        promote(version)


def test_approval_is_for_the_policy_that_was_shown(
    staged: Callable[..., int],
    context: MakeContext,
    model: ModelNames,
    questions: list[SimpleNamespace],
    ask: CallRegistry,
    promote: Promote,
) -> None:
    """An answer that comes after the policy was changed is about the old one."""
    from airflow.sdk.exceptions import AirflowSkipException

    from model_lifecycle.operators import ApproveModelOperator

    version = staged()
    task = ApproveModelOperator(task_id="approve", version=version, **model)
    kwargs = parked(task, context(task))
    stricter = PromotionPolicy(require_approval=True, evidence_max_age_days=7)
    ask(lambda registry: registry.set_policy(**model, policy=stricter, actor="lead"))
    task.execute_complete(context(task), answer_event(), **kwargs)

    with pytest.raises(AirflowSkipException, match="approval gate was made under another policy"):
        promote(version)
