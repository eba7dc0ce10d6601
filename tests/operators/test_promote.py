from __future__ import annotations

from pathlib import Path

import pytest
from support.task_fixtures import (
    CallRegistry,
    History,
    Judge,
    MakeContext,
    ModelNames,
    Promote,
    Register,
)

from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.stages import Gate


def test_promotion_moves_the_version_and_says_so(
    register: Register,
    judge: Judge,
    promote: Promote,
    ask: CallRegistry,
    model: ModelNames,
    history: History,
) -> None:
    """Version text from a template is understood; the result is the ledger's entry."""
    version = register()
    judge(version, Gate.VALIDATION)

    result, _ = promote(str(version), "staging", reason="monthly")
    entry = history()[-1]

    assert result == {
        **model,
        "version": 1,
        "stage": "staging",
        "previous_production": None,
        "production": None,
        "actor": "airflow:lifecycle/manual__2013-07-01T00:00:00+00:00 for kim",
        "at": entry.at.isoformat(),
        "sequence": entry.sequence,
        "changed": True,
        "replayed": False,
    }
    assert entry.reason == "monthly"


def test_promotion_to_production_sends_the_event(
    in_production: Register,
    ask: CallRegistry,
    model: ModelNames,
    promote: Promote,
    tenant: str,
    history: History,
) -> None:
    """The event of the second promotion says from which version to which, who, and on what."""
    from model_lifecycle.operators import production_asset

    in_production()
    second = in_production()
    result, ctx = promote(second, run_id="r2")
    event = ctx["outlet_events"][production_asset(tenant, "heart")]
    known = ask(lambda registry: registry.get_version(**model, version=second))
    entry = history()[-1]

    assert known is not None
    assert (result["previous_production"], result["production"]) == (1, 2)
    assert event.extra == {
        **model,
        "version": 2,
        "stage": "production",
        "from": 1,
        "to": 2,
        "actor": "airflow:lifecycle/r2 for kim",
        "reason": "",
        "at": entry.at.isoformat(),
        "bundle_digest": known.bundle_digest,
        "evidence": [dict(item) for item in entry.evidence],
        "sequence": entry.sequence,
        "operation_id": "lifecycle/r2/promote_to_production/-1",
    }
    assert [item["gate"] for item in event.extra["evidence"]] == ["shadow"]


def test_refused_promotion_skips_with_the_reason(
    register: Register,
    judge: Judge,
    promote: Promote,
    ask: CallRegistry,
    model: ModelNames,
    history: History,
) -> None:
    """The skip has the gate's reason; nothing is changed and nothing is announced."""
    from airflow.sdk.exceptions import AirflowSkipException

    version = register()
    judge(version, Gate.VALIDATION, Verdict.FAIL)
    before = history()

    with pytest.raises(
        AirflowSkipException, match=r"the validation gate said FAIL: accuracy 0\.95"
    ):
        promote(version, "staging")

    assert history() == before


def test_refusal_is_kept_in_xcom(
    register: Register, model: ModelNames, context: MakeContext, ask: CallRegistry
) -> None:
    """Which evidence is missing can be read by programs."""
    from airflow.sdk.exceptions import AirflowSkipException

    from model_lifecycle.operators import PromoteModelOperator

    task = PromoteModelOperator(
        task_id="promote", version=register(), target_stage="staging", **model
    )
    ctx = context(task)
    with pytest.raises(AirflowSkipException):
        task.execute(ctx)
    refusal = ctx["ti"].pushed["refusal"]

    assert (refusal["version"], refusal["to"]) == (1, "staging")
    assert [item["code"] for item in refusal["missing"]] == ["no_evidence"]


def test_retried_promotion_makes_no_second_entry(
    in_production: Register,
    promote: Promote,
    ask: CallRegistry,
    model: ModelNames,
    history: History,
) -> None:
    """The next try gives the same result as the first, with ``changed`` false."""
    version = in_production()
    before = history()
    first, second = (promote(version, run_id="r1", try_number=n)[0] for n in (2, 3))

    assert first == second
    assert (first["version"], first["stage"], first["changed"]) == (1, "production", False)
    assert history() == before


def test_version_that_is_there_already_is_no_change(
    in_production: Register, promote: Promote, ask: CallRegistry, model: ModelNames
) -> None:
    """Another run that asks for what is so already gets the entry that made it so."""
    version = in_production()
    result, _ = promote(version, run_id="another")

    assert (result["changed"], result["actor"]) == (False, "airflow:lifecycle/r1 for kim")


def test_late_retry_does_not_undo_a_newer_promotion(
    in_production: Register, promote: Promote, ask: CallRegistry, model: ModelNames
) -> None:
    """A try that comes after another version was promoted changes nothing."""
    first, second = in_production(), in_production()
    result, _ = promote(first, run_id="r1", try_number=2)
    metadata = ask(lambda registry: registry.get_model(**model))

    assert result["changed"] is False
    assert metadata is not None
    assert metadata.production_version == second


@pytest.mark.parametrize("expected", ["None", None, 7, "7"])
def test_other_production_than_expected_fails_the_task(
    in_production: Register,
    register: Register,
    judge: Judge,
    promote: Promote,
    expected: str | int | None,
) -> None:
    """A promotion that was decided against another production does not happen."""
    from airflow.sdk.exceptions import AirflowFailException

    in_production()
    version = register()
    judge(version, Gate.VALIDATION)

    with pytest.raises(AirflowFailException, match=r"^stale_production"):
        promote(version, "staging", expected_production=expected)


@pytest.mark.parametrize(
    ("version", "code"), [("9", "not_found|version_not_found"), ("01", "invalid_name"), (0, "inv")]
)
def test_impossible_version_fails_the_task(
    register: Register, promote: Promote, version: str | int, code: str
) -> None:
    """A version that does not exist, or is no version number, gives an error without retries."""
    from airflow.sdk.exceptions import AirflowFailException

    register()

    with pytest.raises(AirflowFailException, match=f"^({code})"):
        promote(version, "staging")


def test_roles_of_the_connection_bind_the_task(
    register: Register, promote: Promote, monkeypatch: pytest.MonkeyPatch, registry_home: Path
) -> None:
    """Where the connection does not let Airflow promote, Airflow does not promote."""
    import json

    from airflow.sdk.exceptions import AirflowFailException

    version = register()
    extra = {"home": str(registry_home), "roles": "contributor"}
    connection = json.dumps({"conn_type": "model_registry", "extra": extra})
    monkeypatch.setenv("AIRFLOW_CONN_MODEL_REGISTRY_DEFAULT", connection)

    with pytest.raises(AirflowFailException, match=r"^permission_denied"):
        promote(version, "staging")
