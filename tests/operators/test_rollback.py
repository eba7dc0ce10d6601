from __future__ import annotations

import pytest


def _roll_back(model, **given):
    from model_lifecycle.operators import RollbackModelOperator

    return RollbackModelOperator(task_id="rollback", reason="calls rose by 40 %", **model, **given)


@pytest.mark.parametrize("to_version", [None, "", "None", 1, "1"])
def test_rollback_brings_the_earlier_version_back(
    in_production, ask, model, context, to_version, history
):
    """With or without a version given, production is what it was, and the ledger says why."""
    in_production()
    in_production()
    task = _roll_back(model, to_version=to_version)
    result = task.execute(context(task, run_id="back"))
    entry = history()[-1]

    assert (result["version"], result["previous_production"], result["changed"]) == (1, 2, True)
    assert (entry.kind, entry.reason) == ("rolled_back", "calls rose by 40 %")


def test_retried_rollback_goes_back_once(in_production, ask, model, context):
    """The next try finds what the first one did, and does not go back further."""
    for _ in range(3):
        in_production()
    task = _roll_back(model)
    first, second = (task.execute(context(task, run_id="b", try_number=n)) for n in (1, 2))
    metadata = ask(lambda registry: registry.get_model(*model.values()))

    assert second == {**first, "changed": False}
    assert metadata.production_version == 2


def test_rollback_without_an_earlier_version_fails(in_production, model, context, ask):
    """There is nothing to go back to; the task says so and is not tried again."""
    from airflow.sdk.exceptions import AirflowFailException

    in_production()
    task = _roll_back(model)

    with pytest.raises(AirflowFailException):
        task.execute(context(task, run_id="back"))
