"""Features and label of the flight-delay models.

Every feature is known when a flight is due to leave: its place in the schedule, and the weather
at its airport in the last full hour before. What became of the flight is the label alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

CATEGORIES = ("carrier", "origin", "dest")
SCHEDULE = ("day_of_week", "scheduled_hour", "distance")
WEATHER = (
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "precip",
    "pressure",
    "visib",
)
FEATURES = (*CATEGORIES, *SCHEDULE, *WEATHER)

#: 1.0 for a flight that arrived more than :data:`LATE_MINUTES` late, 0.0 for one that did not,
#: missing for one that never arrived.
LABEL = "late"
LATE_MINUTES = 15.0

#: No gust in New York reaches this; the data hold one "wind" of 1048 mph, at EWR on 2013-02-12.
MAX_WIND_MPH = 150.0


def feature_columns(*, weather: bool) -> list[str]:
    """Names of the features of a model with or without weather, in the order of its signature."""
    return [*CATEGORIES, *SCHEDULE, *(WEATHER if weather else ())]


def schedule_features(flights: pd.DataFrame) -> pd.DataFrame:
    """Features from the schedule, one row a flight. Numbers are doubles, so that a missing one
    is NaN and not another type."""
    dates = {"year": flights["year"], "month": flights["month"], "day": flights["day"]}
    frame = flights[[*CATEGORIES]].copy()
    frame["day_of_week"] = _dates(dates).dt.day_of_week.astype("float64")
    frame["scheduled_hour"] = flights["hour"].astype("float64")
    frame["distance"] = flights["distance"].astype("float64")
    return frame


def weather_features(weather: pd.DataFrame) -> pd.DataFrame:
    """Hourly weather by ``origin`` and ``time_hour``, where ``time_hour`` is the hour in which it
    may be used: one later than the hour in which it was observed."""
    import pandas as pd

    frame = weather[["origin", "time_hour", *WEATHER]].copy()
    frame["time_hour"] += pd.Timedelta(hours=1)
    frame[[*WEATHER]] = frame[[*WEATHER]].astype("float64")
    frame.loc[frame["wind_speed"] > MAX_WIND_MPH, "wind_speed"] = float("nan")
    return frame


def label(flights: pd.DataFrame) -> pd.Series:
    """:data:`LABEL` of each flight."""
    delay = flights["arr_delay"].astype("float64")
    return (delay > LATE_MINUTES).astype("float64").where(delay.notna()).rename(LABEL)


def _dates(parts: dict[str, pd.Series]) -> pd.Series:
    import pandas as pd

    return pd.to_datetime(pd.DataFrame(parts))
