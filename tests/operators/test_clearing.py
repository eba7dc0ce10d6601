"""A retry repeats its operation; a cleared task is a new operation, and does its work again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.clearing import clear_and_run
from support.task_fixtures import CallRegistry, Fitted, Judge, MakeContext, ModelNames, Register

from model_lifecycle.registry.domain.models import TrainedModel
from model_lifecycle.registry.domain.stages import Gate
from model_lifecycle.registry.services.registration.run_logging import LoggedTraining

if TYPE_CHECKING:
    from model_lifecycle.gates.data.traffic import Batch, Partition
    from model_lifecycle.gates.protocols import ArtifactFiles
    from model_lifecycle.operators.mapped_shadow import JudgeShadowTestOperator, ReplayDayOperator
    from model_lifecycle.registry.model_registry import ModelRegistry


CODE = "TEST_TRAINING_CODE"
#: A first try, its retry, and the first try after a clear.
_TRIES: tuple[dict[str, Any], ...] = ({}, {"try_number": 2}, {"try_number": 2, "cleared_after": 1})


@pytest.mark.timeout(600)
def test_corrected_training_is_registered_after_airflows_clear(
    airflow_database: None, ask: CallRegistry, registry_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model that the corrected code trained becomes a version of its own."""
    from airflow.configuration import conf
    from airflow.dag_processing.dagbag import DagBag

    folder = conf.get("core", "dags_folder")
    dag = DagBag(dag_folder=folder, bundle_name="dags-folder", bundle_path=Path(folder)).dags[
        "clearing"
    ]
    monkeypatch.setenv(CODE, "0.5")
    run = dag.test()
    monkeypatch.setenv(CODE, "2.0")
    clear_and_run(dag, run, {"train", "register"})
    versions = ask(lambda registry: registry.list_versions("cleared", "heart"))

    assert [item.parameters["C"] for item in versions] == ["0.5", "2.0"]
    assert {ti.state for ti in run.get_task_instances()} == {"success"}


@pytest.fixture
def train(
    ask: CallRegistry, model: ModelNames, context: MakeContext
) -> Callable[..., dict[str, Any]]:
    """Run a training task whose code is a number."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    from model_lifecycle.operators import TrainModelOperator
    from model_lifecycle.registry.domain.models import TrainedModel

    def call(strength: float, **moment: Any) -> dict[str, Any]:
        def fit() -> TrainedModel:
            frame = pd.DataFrame({"pressure": [float(n) for n in range(40)]})
            fitted = LogisticRegression(C=strength).fit(frame, frame["pressure"] > 20)
            return TrainedModel(fitted, "sklearn", {}, {"C": strength}, input_example=frame.head())

        task = TrainModelOperator(task_id="train", train=fit, **model)
        return task.execute(context(task, **moment))

    return call


def test_cleared_training_logs_a_new_model(train: Callable[..., dict[str, Any]]) -> None:
    """The same result is logged again; nothing of the first operation is given back."""
    assert train(1.0)["model_uri"] != train(1.0, try_number=2, cleared_after=1)["model_uri"]


def test_retried_training_with_another_result_is_not_given_the_old_one(
    train: Callable[..., dict[str, Any]],
) -> None:
    """The answer of a try is always the model that this try trained."""
    first, second = train(1.0), train(2.0, try_number=2)

    assert first["model_uri"] != second["model_uri"]


def test_operation_id_used_for_another_training_is_a_conflict(
    ask: CallRegistry, model: ModelNames, fitted: Fitted
) -> None:
    """The core never answers a request with the result of another one."""
    from model_lifecycle.registry.domain.errors import OperationConflict
    from model_lifecycle.registry.domain.models import TrainedModel

    classifier, example = fitted

    def log(strength: float) -> LoggedTraining:
        trained = TrainedModel(classifier, "sklearn", {}, {"C": strength}, input_example=example)
        return ask(
            lambda registry: registry.log_model(
                model["tenant_id"],
                model["model_id"],
                trained,
                created_by="x",
                operation_id="train-1",
            )
        )

    first = log(1.0)

    assert log(1.0).model_uri == first.model_uri
    with pytest.raises(OperationConflict, match="'train-1' was already used"):
        log(2.0)


def test_cleared_registering_makes_the_next_version(
    train: Callable[..., dict[str, Any]], model: ModelNames, context: MakeContext
) -> None:
    """A version each, from the same source."""
    from model_lifecycle.operators import RegisterModelOperator

    task = RegisterModelOperator(task_id="register", source=train(1.0)["model_uri"], **model)
    results = [task.execute(context(task, **moment)) for moment in _TRIES]

    assert [(item["version"], item["created"]) for item in results] == [
        (1, True),
        (1, False),
        (2, True),
    ]


def test_cleared_policy_is_set_again(
    register: Register, ask: CallRegistry, model: ModelNames, context: MakeContext
) -> None:
    """The DAG's policy replaces one that somebody set after the first run."""
    from model_lifecycle.operators import SetPolicyOperator
    from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy

    register()
    own, other = PromotionPolicy(evidence_max_age_days=7), PromotionPolicy(evidence_max_age_days=9)
    task = SetPolicyOperator(task_id="set_policy", policy=own.document(), **model)
    task.execute(context(task))
    ask(lambda registry: registry.set_policy(**model, policy=other, actor="somebody"))
    result = task.execute(context(task, try_number=2, cleared_after=1))
    current = ask(lambda registry: registry.get_policy(**model))

    assert (result["changed"], current.fingerprint) == (True, own.fingerprint)


def test_cleared_promotion_promotes_again(
    in_production: Register,
    register: Register,
    judge: Judge,
    ask: CallRegistry,
    model: ModelNames,
    context: MakeContext,
) -> None:
    """After a rollback and new evidence, the cleared task moves the version once more."""
    from model_lifecycle.operators import PromoteModelOperator

    in_production()
    version = register()
    judge(version, Gate.VALIDATION)
    staging = PromoteModelOperator(
        task_id="stage", version=version, target_stage="staging", **model
    )
    task = PromoteModelOperator(task_id="promote", version=version, **model)
    staging.execute(context(staging))
    judge(version, Gate.SHADOW)
    first = task.execute(context(task))
    ask(lambda registry: registry.rollback(**model, actor="somebody", reason="too slow"))
    judge(version, Gate.VALIDATION)
    cleared: dict[str, Any] = {"try_number": 2, "cleared_after": 1}
    staging.execute(context(staging, **cleared))
    judge(version, Gate.SHADOW)
    second = task.execute(context(task, **cleared))
    metadata = ask(lambda registry: registry.get_model(**model))

    assert metadata is not None
    assert metadata.production_version == version
    assert (first["changed"], second["changed"]) == (True, True)
    assert second["sequence"] > first["sequence"]


def test_cleared_rollback_rolls_back_again(
    in_production: Register, ask: CallRegistry, model: ModelNames, context: MakeContext
) -> None:
    """A third version that went wrong is rolled back by the same task."""
    from model_lifecycle.operators import RollbackModelOperator

    task = RollbackModelOperator(task_id="rollback", reason="calls rose by 40 %", **model)
    in_production()
    in_production()
    first = task.execute(context(task))
    in_production()
    second = task.execute(context(task, try_number=2, cleared_after=1))

    assert [(item["previous_production"], item["changed"]) for item in (first, second)] == [
        (2, True),
        (3, True),
    ]


def test_cleared_deletion_deletes_what_is_there_now(
    register: Register, model: ModelNames, context: MakeContext
) -> None:
    """The versions that were registered since."""
    from model_lifecycle.operators import DeleteModelOperator

    task = DeleteModelOperator(task_id="delete", reason="trained on wrong data", **model)
    register()
    first = task.execute(context(task))
    second_version = register()
    second = task.execute(context(task, try_number=2, cleared_after=1))

    assert (first["versions"], second["versions"]) == ([1], [second_version])


def test_cleared_sensor_looks_anew(
    register: Register, model: ModelNames, context: MakeContext
) -> None:
    """The newest version at the time of the clear is not new to it."""
    from model_lifecycle.operators import NewModelVersionSensor

    stored: dict[str, object] = {}
    task = NewModelVersionSensor(task_id="wait", **model)
    register()
    before = task.poke(context(task, stored=stored))
    register()
    retried = task.poke(context(task, stored=stored, try_number=2))
    cleared = task.poke(context(task, stored=stored, try_number=3, cleared_after=2))

    assert [bool(item) for item in (before, retried, cleared)] == [False, True, False]


class TestMappedShadow:
    """The three tasks of a mapped shadow test, each cleared by itself."""

    @pytest.fixture
    def version(self, register: Register, ask: CallRegistry, model: ModelNames) -> int:
        import pandas as pd

        from model_lifecycle.gates.data.traffic_writer import write_labels, write_traffic
        from model_lifecycle.gates.policy.promotion import (
            Limit,
            ShadowPolicy,
            ValidationPolicy,
            promotion_policy,
        )

        number = register()
        limits: dict[str, Any] = {"limits": (Limit("accuracy", minimum=0.6),)}
        shadow = ShadowPolicy(
            **limits,
            block="day",
            min_blocks=10,
            min_requests=100,
            max_duration_days=30,
        )
        policy = promotion_policy(validation=ValidationPolicy(**limits), shadow=shadow)
        ask(lambda registry: registry.set_policy(**model, policy=policy, actor="somebody"))

        async def write(registry: ModelRegistry) -> None:
            for day in range(10):
                hour = datetime(2013, 7, 1, tzinfo=UTC) + timedelta(days=day)
                requests = pd.DataFrame({"pressure": [float(n) for n in range(40)]}).assign(
                    request_id=[f"{day}-{row}" for row in range(40)],
                    requested_at=hour,
                    labelled_at=hour,
                    version=0,
                    role="champion",
                    prediction=0,
                )
                labels = requests.assign(label=requests["pressure"] > 20)
                await write_traffic(registry.artifacts, **model, hour=hour, frame=requests)
                await write_labels(registry.artifacts, **model, day=hour, frame=labels)

        ask(write)
        return number

    @pytest.fixture
    def tasks(
        self, version: int, model: ModelNames, context: MakeContext
    ) -> tuple[ReplayDayOperator, JudgeShadowTestOperator]:
        """The plan's parts, and the two tasks after it."""
        from model_lifecycle.operators.mapped_shadow import (
            JudgeShadowTestOperator,
            PlanShadowTestOperator,
            ReplayDayOperator,
        )

        window = {"start": "2013-07-01", "end": "2013-07-11"}
        plan = PlanShadowTestOperator(task_id="plan", version=version, **window, **model)
        parts = json.loads(json.dumps(plan.execute(context(plan))))
        replay = ReplayDayOperator(task_id="replay", part=parts[0], **model)
        judge = JudgeShadowTestOperator(task_id="judge", version=version, parts=parts, **model)
        return replay, judge

    @pytest.fixture
    def days_read(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The hours that were read from the traffic, in order."""
        from model_lifecycle.gates.data.traffic import read_partitions
        from model_lifecycle.gates.evaluation import shadow_day

        read: list[str] = []

        async def counting(store: ArtifactFiles, hours: Sequence[Partition], **given: Any) -> Batch:
            read.extend(hour.name for hour in hours)
            return await read_partitions(store, hours, **given)

        monkeypatch.setattr(shadow_day, "read_partitions", counting)
        return read

    def test_cleared_replay_reads_its_day_again(
        self,
        tasks: tuple[ReplayDayOperator, JudgeShadowTestOperator],
        context: MakeContext,
        days_read: list[str],
    ) -> None:
        """A retry reuses the sums of the first try; a cleared task does not."""
        replay, _ = tasks
        read = []
        for moment in _TRIES:
            replay.execute(context(replay, map_index=0, **moment))
            read.append(len(days_read))

        assert read == [1, 1, 2]

    def test_cleared_judge_records_new_evidence(
        self, tasks: tuple[ReplayDayOperator, JudgeShadowTestOperator], context: MakeContext
    ) -> None:
        """A retry gives the evidence that is there; a cleared task judges again."""
        _, judge = tasks
        first, retried, cleared = (
            judge.execute(context(judge, **moment))["evidence_id"] for moment in _TRIES
        )

        assert (first == retried, first == cleared) == (True, False)
