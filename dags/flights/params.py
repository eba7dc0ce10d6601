"""Forms of the flight DAGs: what a person, or the demo, may choose for one run."""

from __future__ import annotations

from airflow.sdk import Param

from model_lifecycle.dags.flights.training import ALGORITHMS, FEATURE_SETS


def window(name: str, start: str, end: str, description: str) -> dict[str, Param]:
    """Two dates, ``{name}_start`` and ``{name}_end``: first day, and the day after the last."""
    section = f"{name.capitalize()} window"
    return {
        f"{name}_{side}": Param(
            date,
            type="string",
            format="date",
            title=f"{section}: {side}",
            description=f"{description} {text} (UTC).",
            section=section,
        )
        for side, date, text in (
            ("start", start, "First day"),
            ("end", end, "The day after the last"),
        )
    }


RETRAIN = {
    "algorithm": Param(
        "gradient boosting",
        enum=[*ALGORITHMS],
        title="Algorithm",
        description="Logistic regression works without weather only.",
    ),
    "features": Param(
        "schedule and weather",
        enum=[*FEATURE_SETS],
        title="Features",
        description="What the model sees of a flight.",
    ),
    **window("training", "2013-01-01", "2013-06-16", "Flights to learn from."),
    **window("validation", "2013-06-16", "2013-07-01", "Labelled flights to validate on."),
    **window("shadow", "2013-07-01", "2013-08-01", "Recorded requests to replay."),
}

SERVING = window("serving", "2013-07-01", "2013-08-01", "Flights whose requests are answered.")


def chosen(name: str) -> dict[str, str]:
    """Templates of a window's dates, as keyword arguments ``start`` and ``end``."""
    return {side: f"{{{{ params.{name}_{side} }}}}" for side in ("start", "end")}
