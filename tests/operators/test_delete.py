from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.task_fixtures import CallRegistry, History, MakeContext, ModelNames, Register


@pytest.fixture
def delete(context: MakeContext, model: ModelNames) -> Callable[..., dict[str, Any]]:
    """Run a deletion task."""
    from model_lifecycle.operators import DeleteModelOperator

    def call(
        version: str | None = None, *, run_id: str = "r", try_number: int = 1
    ) -> dict[str, Any]:
        task = DeleteModelOperator(
            task_id="delete", version=version, reason="trained on wrong data", **model
        )
        return task.execute(context(task, run_id=run_id, try_number=try_number))

    return call


def test_one_version_is_deleted_and_the_others_stay(
    register: Register,
    delete: Callable[..., dict[str, Any]],
    ask: CallRegistry,
    model: ModelNames,
    history: History,
) -> None:
    """The answer is the ledger's entry, with who and why."""
    register()
    register()
    result = delete("1")
    left = ask(lambda registry: registry.list_versions(**model))
    entry = history()[-1]

    assert [item.version for item in left] == [2]
    assert result == {
        **model,
        "versions": [1],
        "reason": "trained on wrong data",
        "actor": "airflow:lifecycle/r for kim",
        "at": entry.at.isoformat(),
        "sequence": entry.sequence,
        "changed": True,
        "replayed": False,
    }


def test_retry_finds_it_done(
    register: Register, delete: Callable[..., dict[str, Any]], ask: CallRegistry, history: History
) -> None:
    """The next try gives the same answer, and makes no second entry."""
    register()
    register()
    first = delete()
    second = delete(try_number=2)

    assert second == {**first, "changed": False, "replayed": True}
    assert first["versions"] == [1, 2]
    assert [entry.kind for entry in history()] == ["registered", "registered", "deleted"]


def test_production_is_never_deleted(
    in_production: Register,
    register: Register,
    delete: Callable[..., dict[str, Any]],
    ask: CallRegistry,
    history: History,
) -> None:
    """All or nothing: a version in production keeps every version of the model."""
    from airflow.sdk.exceptions import AirflowFailException

    in_production()
    register()
    before = history()

    with pytest.raises(AirflowFailException, match=r"^invalid_transition.*kept as a record"):
        delete()

    assert history() == before


def test_what_does_not_exist_fails_the_task(
    ask: CallRegistry, delete: Callable[..., dict[str, Any]]
) -> None:
    """There is nothing to delete, and the task says so."""
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="not_found"):
        delete("1")
