from __future__ import annotations

import pytest
from support.task_fixtures import CallRegistry, History, MakeContext, ModelNames, Register


def test_policy_is_set_once(
    register: Register, ask: CallRegistry, model: ModelNames, context: MakeContext, history: History
) -> None:
    """The DAG's policy becomes the model's; stating it again makes no entry."""
    from model_lifecycle.operators import SetPolicyOperator
    from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy

    register()
    policy = PromotionPolicy(evidence_max_age_days=7)
    task = SetPolicyOperator(task_id="set_policy", policy=policy.document(), **model)
    results = [task.execute(context(task, run_id=run)) for run in ("one", "two")]
    kinds = [entry.kind for entry in history()]

    assert [item["changed"] for item in results] == [True, False]
    assert results[0]["fingerprint"] == policy.fingerprint
    assert kinds == ["registered", "policy_set"]


def test_misspelt_policy_is_refused(
    register: Register, model: ModelNames, context: MakeContext, ask: CallRegistry
) -> None:
    """A misspelt limit does not pass for none."""
    from airflow.sdk.exceptions import AirflowFailException

    from model_lifecycle.operators import SetPolicyOperator

    register()
    task = SetPolicyOperator(task_id="set_policy", policy={"valdation": {}}, **model)

    with pytest.raises(AirflowFailException, match=r"^invalid_input: policy has no field"):
        task.execute(context(task))
