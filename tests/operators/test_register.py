from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.task_fixtures import CallRegistry, MakeContext, ModelNames

from model_lifecycle.registry.domain.models import TrainedModel

if TYPE_CHECKING:
    from model_lifecycle.operators import RegisterModelOperator


def train(slope: str = "1.0") -> TrainedModel:
    """A classifier of a made-up illness by one number."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    frame = pd.DataFrame({"pressure": [float(n) for n in range(40)]})
    model = LogisticRegression(C=float(slope)).fit(frame, frame["pressure"] > 20)
    return TrainedModel(
        model,
        "sklearn",
        metrics={"accuracy": 0.95},
        parameters={"C": float(slope)},
        input_example=frame.head(3),
    )


@pytest.fixture
def trained(ask: CallRegistry, model: ModelNames, context: MakeContext) -> dict[str, Any]:
    """The result that the training task of a run gave to the next."""
    from model_lifecycle.operators import TrainModelOperator

    task = TrainModelOperator(task_id="train", train=train, op_kwargs={"slope": "2"}, **model)
    return task.execute(context(task))


def _register(model: ModelNames, source: str, **extra: Any) -> RegisterModelOperator:
    from model_lifecycle.operators import RegisterModelOperator

    return RegisterModelOperator(task_id="register", source=source, **model, **extra)


def test_training_logs_the_model_and_registers_nothing(
    ask: CallRegistry, model: ModelNames, trained: dict[str, Any]
) -> None:
    """The training task's answer leads to the model in MLflow; the ledger has no word of it."""
    expected = {
        "framework": "sklearn",
        "model_type": "classification",
        "metrics": {"accuracy": 0.95},
    }

    assert {name: trained[name] for name in expected} == expected
    assert trained["model_uri"].startswith("models:/m-")
    assert ask(lambda registry: registry.get_model(**model)) is None


def test_retried_training_gives_the_same_model(
    ask: CallRegistry, model: ModelNames, trained: dict[str, Any], context: MakeContext
) -> None:
    """The next try of the task finds the model that the first one logged."""
    from model_lifecycle.operators import TrainModelOperator

    task = TrainModelOperator(task_id="train", train=train, op_kwargs={"slope": "2"}, **model)

    assert task.execute(context(task, try_number=2))["model_uri"] == trained["model_uri"]


def test_training_that_returns_something_else_is_refused(
    ask: CallRegistry, model: ModelNames, context: MakeContext
) -> None:
    """The error says what a training function has to return."""
    from airflow.sdk.exceptions import AirflowFailException

    from model_lifecycle.operators import TrainModelOperator

    nothing: Any = lambda: None  # noqa: E731 - a function that does not keep its word
    task = TrainModelOperator(task_id="train", train=nothing, **model)

    with pytest.raises(AirflowFailException, match="a training function returns a TrainedModel"):
        task.execute(context(task))


def test_registering_makes_a_version_in_development(
    ask: CallRegistry, model: ModelNames, trained: dict[str, Any], context: MakeContext
) -> None:
    """The version has the run's metrics, and the person who started the run is in the ledger."""
    task = _register(model, trained["model_uri"])
    result = task.execute(context(task))
    (entry,) = ask(lambda registry: registry.history(**model))

    assert (result["version"], result["stage"], result["created"]) == (1, "development", True)
    assert result["metrics"] == {"accuracy": 0.95}
    assert result["run_id"] == trained["run_id"]
    assert entry.actor == "airflow:lifecycle/manual__2013-07-01T00:00:00+00:00 for kim"


def test_retried_registering_makes_no_second_version(
    ask: CallRegistry, model: ModelNames, trained: dict[str, Any], context: MakeContext
) -> None:
    """The next try tells of the first one's version, which has one entry in the ledger."""
    task = _register(model, trained["model_uri"])
    first, second = (task.execute(context(task, try_number=number)) for number in (1, 2))
    versions = ask(lambda registry: registry.list_versions(**model))
    history = ask(lambda registry: registry.history(**model))

    assert second == {**first, "created": False, "replayed": True}
    assert ([item.version for item in versions], len(history)) == ([1], 1)


def test_another_run_registers_the_next_version(
    ask: CallRegistry, model: ModelNames, trained: dict[str, Any], context: MakeContext
) -> None:
    """A new run is a new operation."""
    task = _register(model, trained["model_uri"])
    results = [task.execute(context(task, run_id=run)) for run in ("one", "two")]

    assert [item["version"] for item in results] == [1, 2]


def test_result_is_plain_json(
    ask: CallRegistry, model: ModelNames, trained: dict[str, Any], context: MakeContext
) -> None:
    """Airflow lets only plain values cross from task to task."""
    import json

    task = _register(model, trained["model_uri"])
    result = task.execute(context(task))

    assert json.loads(json.dumps(result)) == result


@pytest.mark.parametrize(
    ("source", "code"),
    [("models:/m-" + "0" * 32, "artifact_not_found|not_found"), ("../elsewhere", "invalid_input")],
)
def test_impossible_source_fails_the_task(
    ask: CallRegistry, model: ModelNames, context: MakeContext, source: str, code: str
) -> None:
    """A source that does not exist, or is none, gives an error without retries."""
    from airflow.sdk.exceptions import AirflowFailException

    task = _register(model, source)

    with pytest.raises(AirflowFailException, match=f"^({code})"):
        task.execute(context(task))


def test_unreachable_mlflow_is_left_to_retries(
    ask: CallRegistry, model: ModelNames, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow out of reach gives an error within seconds, which Airflow retries."""
    from model_lifecycle.registry.domain.errors import BackendUnavailable

    monkeypatch.setenv("MODEL_LIFECYCLE_TRACKING_URI", "http://127.0.0.1:9")
    task = _register(model, "models:/m-" + "0" * 32)

    with pytest.raises(BackendUnavailable):
        task.execute(context(task))
