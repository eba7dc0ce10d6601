from __future__ import annotations

import pytest

from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.stages import Gate


@pytest.fixture
def heard():
    """A notifier as users write one, with a template, and what it told."""
    from airflow.sdk import BaseNotifier

    class Tell(BaseNotifier):
        template_fields = ("text",)

        def __init__(self, said, text="{{ lifecycle.event }}: {{ lifecycle.sentence }}"):
            super().__init__()
            self.said, self.text = said, text

        def notify(self, context):
            self.said.append((self.text, context["lifecycle"]))

    said = []
    return said, lambda: Tell(said)


@pytest.fixture
def counted(monkeypatch):
    """What is added to Airflow's metrics."""
    said = []
    monkeypatch.setattr(
        "airflow.sdk.observability.stats.incr", lambda name, tags: said.append((name, tags))
    )
    return said


def test_promotion_is_told_once(in_production, register, judge, promote, ask, heard, counted):
    """The notifier's template sees what happened; a retry, and another run, tell it no more."""
    in_production()
    version, kept, (said, notifier) = register(), {}, heard
    judge(version, Gate.VALIDATION)
    promote(version, "staging", run_id="r2")
    judge(version, Gate.SHADOW)
    said.clear()
    counted.clear()
    for try_number, run_id in ((1, "r2"), (2, "r2"), (1, "r3")):
        given = {"try_number": try_number, "run_id": run_id, "kept": kept}
        promote(version, notifiers=notifier(), **given)
    (text, told), *more = said

    assert text == "promoted: heart version 2 is in production, in place of version 1"
    assert (told["version"], told["from"], told["to"], more) == (2, 1, 2, [])
    assert counted[0] == (
        "model_lifecycle.transitions",
        {"event": "promoted", "stage": "production"},
    )


def test_refusal_is_told_with_what_is_missing(register, judge, promote, ask, heard, counted):
    """People hear why a version was held, and programs read it."""
    from airflow.sdk.exceptions import AirflowSkipException

    version, (said, notifier) = register(), heard
    judge(version, Gate.VALIDATION, Verdict.FAIL)
    with pytest.raises(AirflowSkipException):
        promote(version, "staging", notifiers=[notifier()])
    ((text, told),) = said

    assert text.startswith("refused: version 1 may not go to staging: the validation gate said")
    assert [item["code"] for item in told["missing"]] == ["not_passed"]
    assert counted == [("model_lifecycle.transitions", {"event": "refused", "stage": "staging"})]


def test_rollback_is_told(in_production, ask, model, context, heard):
    """With the reason that the person gave."""
    from model_lifecycle.operators import RollbackModelOperator

    in_production()
    in_production()
    said, notifier = heard
    task = RollbackModelOperator(
        task_id="rollback", reason="too many alarms", notifiers=notifier(), **model
    )
    task.execute(context(task))
    ((text, told),) = said

    assert text == (
        "rolled_back: heart version 1 is in production again, in place of version 2: "
        "too many alarms"
    )
    assert (told["from"], told["to"], told["reason"]) == (2, 1, "too many alarms")


def test_a_notifier_that_fails_undoes_nothing(in_production, ask, register, judge, promote, heard):
    """What has happened stands, and the other notifiers are called."""
    from airflow.sdk import BaseNotifier

    class Broken(BaseNotifier):
        def notify(self, context):
            raise OSError("no mail server")

    version, (said, notifier) = register(), heard
    judge(version, Gate.VALIDATION)
    result, _ = promote(version, "staging", notifiers=[Broken(), notifier()])

    assert (result["stage"], len(said)) == ("staging", 1)


def test_factories_pass_notifiers_on(heard):
    """One argument reaches every task that has something to tell."""
    from model_lifecycle.operators import retrain_and_promote, rollback_dag

    _, notifier = heard
    mine = [notifier()]
    dag = retrain_and_promote(
        dag_id="d", tenant_id="acme", model_id="churn", train=print, validation_data="x",
        shadow_window=("a", "b"), approval=True, notifiers=mine,
    )  # fmt: skip
    back = rollback_dag(dag_id="r", tenant_id="acme", notifiers=mine)

    assert dag.get_task("promote_to_staging").notifiers == mine
    assert dag.get_task("promote_to_production").notifiers == mine
    assert dag.get_task("approve").outcome_notifiers == mine
    assert back.get_task("rollback").notifiers == mine


def test_lineage_needs_no_openlineage(promote, register, judge, ask):
    """Without its provider there is no lineage, and no error."""
    version = register()
    judge(version, Gate.VALIDATION)
    _, ctx = promote(version, "staging")

    assert ctx["task"].get_openlineage_facets_on_complete(ctx["ti"]) is None


def test_lineage_says_what_was_read_and_made(promote, register, judge, ask, tenant, monkeypatch):
    """With its provider, a promotion leads from the version to the stage."""
    import sys
    from types import ModuleType, SimpleNamespace

    extractors = ModuleType("airflow.providers.openlineage.extractors")
    extractors.OperatorLineage = SimpleNamespace
    facet = ModuleType("airflow.providers.common.compat.openlineage.facet")
    facet.Dataset = SimpleNamespace
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
def test_files_are_named_as_openlineage_does(uri, expected):
    """The bucket is the namespace, the path is the name."""
    from model_lifecycle.operators.runtime.openlineage import file_dataset

    assert file_dataset(uri) == expected
