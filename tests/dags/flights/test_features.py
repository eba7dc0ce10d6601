from __future__ import annotations

import pandas as pd
import pytest

from model_lifecycle.dags.flights.data import load_flights, load_labelled
from model_lifecycle.dags.flights.features import (
    FEATURES,
    LABEL,
    feature_columns,
    label,
    schedule_features,
    weather_features,
)

#: What the source tells about a flight before it leaves.
SCHEDULE = pd.DataFrame(
    {
        "year": [2013, 2013],
        "month": [7, 7],
        "day": [1, 6],
        "hour": [5, 23],
        "carrier": ["UA", "B6"],
        "origin": ["EWR", "JFK"],
        "dest": ["IAH", "BOS"],
        "distance": [1400, 187],
    }
)


@pytest.fixture(scope="module")
def july_first() -> pd.DataFrame:
    return load_flights("2013-07-01", "2013-07-02")


def test_late_means_more_than_fifteen_minutes() -> None:
    """15 minutes is on time, 16 is late, and what never arrived has no label."""
    labels = label(pd.DataFrame({"arr_delay": [-20.0, 15.0, 16.0, None]}))

    assert labels.fillna(-1).tolist() == [0.0, 0.0, 1.0, -1.0]


def test_features_need_nothing_that_is_known_only_after_departure() -> None:
    """The schedule alone gives the schedule's features: Monday is 0, and numbers are doubles."""
    features = schedule_features(SCHEDULE)

    assert features.to_dict("list") == {
        "carrier": ["UA", "B6"],
        "origin": ["EWR", "JFK"],
        "dest": ["IAH", "BOS"],
        "day_of_week": [0.0, 5.0],
        "scheduled_hour": [5.0, 23.0],
        "distance": [1400.0, 187.0],
    }


def test_weather_is_that_of_the_hour_before() -> None:
    """Observations of ten may be used for flights from eleven, not before."""
    hour = pd.Timestamp("2013-07-01 10:00", tz="UTC")
    readings = dict.fromkeys(("temp", "dewp", "humid", "wind_dir", "precip", "pressure"), 1)
    observed = pd.DataFrame(
        [{"origin": "EWR", "time_hour": hour, "wind_speed": 9, "visib": 8, **readings}]
    )

    assert weather_features(observed)["time_hour"].tolist() == [hour + pd.Timedelta(hours=1)]


def test_the_joined_weather_is_an_hour_old(july_first: pd.DataFrame) -> None:
    """On the real data too: a flight of hour eleven carries the temperature of ten."""
    from model_lifecycle.dags.flights.data import _weather

    weather = _weather()
    ten = pd.Timestamp("2013-07-01 10:00", tz="UTC")
    at_ten = weather[(weather["time_hour"] == ten) & (weather["origin"] == "JFK")]
    hours = july_first["requested_at"].dt.floor("h")
    flights = july_first[(hours == ten + pd.Timedelta(hours=1)) & (july_first["origin"] == "JFK")]

    assert set(flights["temp"]) == set(at_ten["temp"])


def test_an_impossible_wind_is_missing() -> None:
    """The 1048 mph of 2013-02-12 at EWR do not reach a model."""
    flights = load_flights("2013-02-12", "2013-02-13")
    hours = flights["requested_at"].dt.floor("h")
    hit = (flights["origin"] == "EWR") & (hours == pd.Timestamp("2013-02-12 09:00", tz="UTC"))

    assert (flights["wind_speed"].max() < 60, flights.loc[hit, "wind_speed"].isna().all()) == (
        True,
        True,
    )


def test_a_window_is_half_open_and_in_utc(july_first: pd.DataFrame) -> None:
    """A window holds the requests of its own days, and each request of a day once."""
    days = set(july_first["requested_at"].dt.strftime("%Y-%m-%d"))

    assert (days, july_first["request_id"].is_unique) == ({"2013-07-01"}, True)


def test_a_request_keeps_its_id_in_every_window(july_first: pd.DataFrame) -> None:
    """Requests and labels that are written at different times must meet."""
    longer = load_flights("2013-06-30", "2013-07-03")

    assert set(july_first["request_id"]) <= set(longer["request_id"])


def test_a_load_tells_features_label_and_times_only(july_first: pd.DataFrame) -> None:
    """No other column of the source, such as the departure delay, can slip into a model."""
    assert list(july_first.columns) == [
        *("request_id", "requested_at", *FEATURES, LABEL, "labelled_at")
    ]


def test_a_label_comes_after_the_request(july_first: pd.DataFrame) -> None:
    """A label that is known is known after the flight was due to leave."""
    known = july_first[july_first[LABEL].notna()]

    assert (known["labelled_at"] > known["requested_at"]).mean() == 1.0


def test_labelled_flights_all_arrived(july_first: pd.DataFrame) -> None:
    """Cancelled flights are requests without a label, and no training rows."""
    labelled = load_labelled("2013-07-01", "2013-07-02")

    assert len(labelled) == july_first[LABEL].notna().sum() < len(july_first)


def test_a_model_without_weather_sees_the_schedule_alone() -> None:
    """Weather adds columns at the end and changes no other."""
    without, with_weather = feature_columns(weather=False), feature_columns(weather=True)

    assert (with_weather[: len(without)], tuple(with_weather)) == (without, FEATURES)


def test_a_window_without_flights_is_refused() -> None:
    """The data are of 2013; another year is an error that says so."""
    with pytest.raises(ValueError, match="the data are of 2013"):
        load_flights("2020-01-01", "2020-02-01")
