"""Whole DAG runs, executed by Airflow: real tasks, XCom, asset events, models and gates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from model_lifecycle.registry.domain.models import LedgerEntry

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


pytestmark = pytest.mark.timeout(600)

_AB_TESTS = ("ab_better", "ab_worse")
_CONSUMERS = ["after_heart", "after_any_model", "after_each_model", "after_another_model"]
_OTHERS = [*_CONSUMERS, *_AB_TESTS, "trying_again", "clearing"]
_TRAINED = ["train", "register", "set_policy", "validation_data", "validate"]
_PROMOTED = ["promote_to_staging", "record_traffic", "shadow_test", "promote_to_production"]


@dataclass
class RecordingNotifier:
    """A finished DAG run: the state of each task, and what it returned."""

    state: str
    tasks: dict[str, str]
    xcom: dict[str, Any]


@pytest.fixture(scope="module")
def bag(airflow_database: None) -> DagBag:
    from airflow.configuration import conf
    from airflow.dag_processing.dagbag import DagBag

    folder = conf.get("core", "dags_folder")
    return DagBag(dag_folder=folder, bundle_name="dags-folder", bundle_path=Path(folder))


@pytest.fixture(scope="module")
def runs(bag: DagBag, registry_home: Path) -> list[RecordingNotifier]:
    """Four runs: a first version, a second as good, one that is worse, and a rollback."""
    reason = {"model": "heart", "reason": "nurses see too many alarms"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL_LIFECYCLE_HOME", str(registry_home))
        return [
            _run(bag.dags["heart_retrain"], {"seed": 1}),
            _run(
                bag.dags["heart_retrain"], {"seed": 11, "start": "2013-08-01", "end": "2013-08-15"}
            ),
            _run(bag.dags["heart_retrain"], {"seed": 21, "eyes": "closed"}),
            _run(bag.dags["heart_rollback"], reason),
        ]


def _run(dag: Any, conf: dict[str, Any]) -> RecordingNotifier:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    done = dag.test(run_conf=conf)
    with create_session() as session:
        pushed = session.query(XComModel).filter(XComModel.run_id == done.run_id).all()
        xcom = {
            f"{item.task_id}.{item.key}".removesuffix(".return_value"): (
                XComModel.deserialize_value(item)
            )
            for item in pushed
        }
    return RecordingNotifier(
        done.state, {ti.task_id: ti.state for ti in done.get_task_instances()}, xcom
    )


def test_dag_files_parse_without_errors_or_warnings(bag: DagBag) -> None:
    """A DAG file around the factories is read without a word."""
    assert bag.import_errors == {}
    assert bag.captured_warnings == {}
    assert set(bag.dags) == {"heart_retrain", "heart_rollback", *_OTHERS}


def test_first_version_goes_to_production_by_limits(runs: list[RecordingNotifier]) -> None:
    """Without a champion the limits decide, and every task succeeds."""
    first = runs[0]

    assert first.tasks == dict.fromkeys([*_TRAINED, *_PROMOTED], "success")
    assert (first.xcom["validate"]["verdict"], first.xcom["validate"]["baseline"]) == ("PASS", None)
    assert first.xcom["promote_to_production"]["production"] == 1


def test_second_version_is_judged_against_the_first(runs: list[RecordingNotifier]) -> None:
    """The second version passes both comparisons and takes the place of the first."""
    second = runs[1]

    assert second.tasks == dict.fromkeys([*_TRAINED, *_PROMOTED], "success")
    assert (second.xcom["shadow_test"]["verdict"], second.xcom["shadow_test"]["baseline"]) == (
        "PASS",
        1,
    )
    assert second.xcom["promote_to_production"]["previous_production"] == 1


def test_worse_version_is_held_and_the_run_succeeds(runs: list[RecordingNotifier]) -> None:
    """A verdict against the version skips its promotion and what follows; nothing fails."""
    third = runs[2]

    assert third.state == "success"
    assert third.tasks == {
        **dict.fromkeys(_TRAINED, "success"),
        **dict.fromkeys(_PROMOTED, "skipped"),
    }
    assert third.xcom["validate"]["verdict"] == "FAIL"
    assert third.xcom["validate"]["sentence"] in third.xcom["promote_to_staging.refusal"]["message"]


def test_rollback_restores_the_first_version(runs: list[RecordingNotifier]) -> None:
    """One task, one operation: production is the first version again."""
    result = runs[3].xcom["rollback"]

    assert (result["version"], result["previous_production"]) == (1, 2)
    assert result["reason"] == "nurses see too many alarms"


def test_production_changes_are_announced(runs: list[RecordingNotifier]) -> None:
    """Each change of production is one asset event; the held version sent none."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session

    with create_session() as session:
        events = (
            session.query(AssetEvent)
            .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
            .filter(AssetModel.uri == "x-model-lifecycle://clinic/heart/production")
            .order_by(AssetEvent.id)
            .all()
        )
        changes = [(item.extra["from"], item.extra["to"]) for item in events]

    assert changes == [(None, 1), (1, 2), (2, 1)]


def test_promotion_starts_those_who_wait(runs: list[RecordingNotifier]) -> None:
    """DAGs that wait for this model, for any and for each are due; one for another is not."""
    from airflow.models.asset import AssetDagRunQueue, AssetPartitionDagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        plain = {item.target_dag_id for item in session.query(AssetDagRunQueue)}
        partitioned = {
            (item.target_dag_id, item.partition_key)
            for item in session.query(AssetPartitionDagRun)
            if item.partition_key.startswith("clinic/")
        }

    assert plain & {*_CONSUMERS} == {"after_heart", "after_any_model"}
    assert partitioned == {("after_each_model", "clinic/heart")}


def test_ledger_shows_who_and_why(runs: list[RecordingNotifier], registry_home: Path) -> None:
    """The ledger has one entry for each change, by the run that made it; its chain is whole."""
    from model_lifecycle.registry.factory import open_registry
    from model_lifecycle.registry.settings import Settings
    from model_lifecycle.registry.sync import run_sync

    async def read() -> tuple[int, list[LedgerEntry]]:
        async with open_registry(Settings(home=registry_home)) as registry:
            count = await registry.verify_ledger("clinic", "heart")
            return count, await registry.history("clinic", "heart")

    count, history = run_sync(read())

    assert [entry.kind for entry in history] == [
        "registered",
        "policy_set",
        "moved",
        "moved",
        "registered",
        "moved",
        "moved",
        "registered",
        "rolled_back",
    ]
    assert count == len(history)
    assert all(entry.actor.startswith("airflow:heart_") for entry in history)
