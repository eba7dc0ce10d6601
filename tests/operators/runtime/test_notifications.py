from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from support.task_fixtures import CallRegistry, Judge, MakeContext, ModelNames, Promote, Register

from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.models import TrainedModel
from model_lifecycle.registry.domain.stages import Gate

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier


#: What a notifier told: its rendered text, and the event.
Notifications = list[tuple[str, dict[str, Any]]]
RecordingNotifier = tuple[Notifications, Callable[[], "BaseNotifier"]]


def _train() -> TrainedModel:
    raise NotImplementedError


@pytest.fixture
def heard() -> RecordingNotifier:
    """A notifier as users write one, with a template, and what it told."""
    from airflow.sdk import BaseNotifier

    class Tell(BaseNotifier):
        template_fields = ("text",)

        def __init__(
            self,
            received: Notifications,
            text: str = "{{ lifecycle.event }}: {{ lifecycle.sentence }}",
        ) -> None:
            super().__init__()
            self.received, self.text = received, text

        def notify(self, context: Any) -> None:
            self.received.append((self.text, context["lifecycle"]))

    received: Notifications = []
    return received, lambda: Tell(received)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """The counts that are added to Airflow's metrics."""
    metrics: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(
        "airflow.sdk.observability.stats.incr", lambda name, tags: metrics.append((name, tags))
    )
    return metrics


def test_promotion_is_told_once(
    in_production: Register,
    register: Register,
    judge: Judge,
    promote: Promote,
    ask: CallRegistry,
    heard: RecordingNotifier,
    counted: list[tuple[str, dict[str, str]]],
) -> None:
    """The notifier's template sees what happened; a retry, and another run, tell it no more."""
    in_production()
    stored: dict[str, Any] = {}
    version, (received, notifier) = register(), heard
    judge(version, Gate.VALIDATION)
    promote(version, "staging", run_id="r2")
    judge(version, Gate.SHADOW)
    received.clear()
    counted.clear()
    for try_number, run_id in ((1, "r2"), (2, "r2"), (1, "r3")):
        given: dict[str, Any] = {"try_number": try_number, "run_id": run_id, "stored": stored}
        promote(version, notifiers=notifier(), **given)
    (text, lifecycle), *more = received

    assert text == "promoted: heart version 2 is in production, in place of version 1"
    assert (lifecycle["version"], lifecycle["from"], lifecycle["to"], more) == (2, 1, 2, [])
    assert counted[0] == (
        "model_lifecycle.transitions",
        {"event": "promoted", "stage": "production"},
    )


def test_refusal_is_told_with_what_is_missing(
    register: Register,
    judge: Judge,
    promote: Promote,
    ask: CallRegistry,
    heard: RecordingNotifier,
    counted: list[tuple[str, dict[str, str]]],
) -> None:
    """People hear why a version was held, and programs read it."""
    from airflow.sdk.exceptions import AirflowSkipException

    version, (received, notifier) = register(), heard
    judge(version, Gate.VALIDATION, Verdict.FAIL)
    with pytest.raises(AirflowSkipException):
        promote(version, "staging", notifiers=[notifier()])
    ((text, lifecycle),) = received

    assert text.startswith("refused: version 1 may not go to staging: the validation gate said")
    assert [item["code"] for item in lifecycle["missing"]] == ["not_passed"]
    assert counted == [("model_lifecycle.transitions", {"event": "refused", "stage": "staging"})]


def test_rollback_is_told(
    in_production: Register,
    ask: CallRegistry,
    model: ModelNames,
    context: MakeContext,
    heard: RecordingNotifier,
) -> None:
    """With the reason that the person gave."""
    from model_lifecycle.operators import RollbackModelOperator

    in_production()
    in_production()
    received, notifier = heard
    task = RollbackModelOperator(
        task_id="rollback", reason="too many alarms", notifiers=notifier(), **model
    )
    task.execute(context(task))
    ((text, lifecycle),) = received

    assert text == (
        "rolled_back: heart version 1 is in production again, in place of version 2: "
        "too many alarms"
    )
    assert (lifecycle["from"], lifecycle["to"], lifecycle["reason"]) == (2, 1, "too many alarms")


def test_a_notifier_that_fails_undoes_nothing(
    in_production: Register,
    ask: CallRegistry,
    register: Register,
    judge: Judge,
    promote: Promote,
    heard: RecordingNotifier,
) -> None:
    """The change stands, and the other notifiers are called."""
    from airflow.sdk import BaseNotifier

    class Broken(BaseNotifier):
        def notify(self, context: Any) -> None:
            raise OSError("no mail server")

    version, (received, notifier) = register(), heard
    judge(version, Gate.VALIDATION)
    result, _ = promote(version, "staging", notifiers=[Broken(), notifier()])

    assert (result["stage"], len(received)) == ("staging", 1)


def test_factories_pass_notifiers_on(heard: RecordingNotifier) -> None:
    """One argument reaches every task that has something to tell."""
    from model_lifecycle.operators import retrain_and_promote, rollback_dag

    _, notifier = heard
    mine = [notifier()]
    dag = retrain_and_promote(
        dag_id="d", tenant_id="acme", model_id="churn", train=_train, validation_data="x",
        shadow_window=("a", "b"), approval=True, notifiers=mine,
    )  # fmt: skip
    back = rollback_dag(dag_id="r", tenant_id="acme", notifiers=mine)

    tasks: dict[str, Any] = {**dag.task_dict, **back.task_dict}

    assert tasks["promote_to_staging"].notifiers == mine
    assert tasks["promote_to_production"].notifiers == mine
    assert tasks["approve"].outcome_notifiers == mine
    assert tasks["rollback"].notifiers == mine


def test_lineage_needs_no_openlineage(
    promote: Promote, register: Register, judge: Judge, ask: CallRegistry
) -> None:
    """Without its provider there is no lineage, and no error."""
    version = register()
    judge(version, Gate.VALIDATION)
    _, ctx = promote(version, "staging")

    assert ctx["task"].get_openlineage_facets_on_complete(ctx["ti"]) is None


def test_lineage_says_what_was_read_and_made(
    promote: Promote,
    register: Register,
    judge: Judge,
    ask: CallRegistry,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With its provider, a promotion leads from the version to the stage."""
    import sys
    from types import ModuleType, SimpleNamespace

    extractors = ModuleType("airflow.providers.openlineage.extractors")
    extractors.__dict__["OperatorLineage"] = SimpleNamespace
    facet = ModuleType("airflow.providers.common.compat.openlineage.facet")
    facet.__dict__["Dataset"] = SimpleNamespace
    for module in (extractors, facet):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    version = register()
    judge(version, Gate.VALIDATION)
    _, ctx = promote(version, "staging")
    lineage = ctx["task"].get_openlineage_facets_on_complete(ctx["ti"])
    namespace = f"x-model-lifecycle://{tenant}"

    assert [vars(item) for item in lineage.inputs] == [
        {"namespace": namespace, "name": "heart/versions/1"}
    ]
    assert [vars(item) for item in lineage.outputs] == [
        {"namespace": namespace, "name": "heart/staging"}
    ]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://bucket/a/b", ("s3://bucket", "a/b")),
        ("file:///a/b", ("file", "/a/b")),
        ("/a/b", ("file", "/a/b")),
    ],
)
def test_files_are_named_as_openlineage_does(uri: str, expected: tuple[str, str]) -> None:
    """The bucket is the namespace, the path is the name."""
    from model_lifecycle.operators.runtime.openlineage import file_dataset

    assert file_dataset(uri) == expected
