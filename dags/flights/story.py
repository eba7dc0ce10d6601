"""The demo's story: what each act shows, and the DAG runs that it is made of.

The windows follow the calendar of 2013. No verdict is scripted: the policy and the data decide.
Measured with boosting of 40 and 60 trees (and 100 small ones): version 2 gains 0.023 to 0.024 in
Brier score on July's flights, its interval above 0 each time. The challenger without weather is
worse than version 2 by about 0.010 on August, which the screen lets pass, and by 0.003 to 0.005 on
July, where thirty-one days cannot show that it is within 0.005. On the stormy second half of June
it would not have passed validation either: a screen is as good as its window.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Run:
    """One DAG run, started with ``conf`` as a person would fill in the form."""

    dag_id: str
    conf: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Act:
    title: str
    what: str
    runs: tuple[Run, ...]


def _window(name: str, start: str, end: str) -> dict[str, str]:
    return {f"{name}_start": f"2013-{start}", f"{name}_end": f"2013-{end}"}


def _serve(start: str, end: str) -> Run:
    return Run("flight_delay_serving", _window("serving", start, end))


def _retrain(algorithm: str, features: str, **windows: tuple[str, str]) -> Run:
    conf = {"algorithm": algorithm, "features": features}
    for name, (start, end) in windows.items():
        conf.update(_window(name, start, end))
    return Run("flight_delay_retrain", conf)


ACTS = (
    Act(
        "The first version",
        "Logistic regression on January, without weather. There is no champion to compare with: "
        "absolute limits decide, on February's flights and on March's recorded requests.",
        (
            _serve("03-01", "04-01"),
            _retrain(
                "logistic regression",
                "schedule",
                training=("01-01", "02-01"),
                validation=("02-01", "03-01"),
                shadow=("03-01", "04-01"),
            ),
        ),
    ),
    Act(
        "A better one",
        "Gradient boosting with weather, trained to the middle of June, validated on the rest of "
        "it, then replayed on the requests that version 1 answered in July.",
        (
            _serve("07-01", "08-01"),
            _retrain(
                "gradient boosting",
                "schedule and weather",
                training=("01-01", "06-16"),
                validation=("06-16", "07-01"),
                shadow=("07-01", "08-01"),
            ),
        ),
    ),
    Act(
        "A challenger that must prove itself",
        "Gradient boosting on April to June, without weather. In the calm August it looks good "
        "enough; July's storms, replayed against version 2, are the test.",
        (
            _serve("07-01", "08-01"),
            _retrain(
                "gradient boosting",
                "schedule",
                training=("04-01", "07-01"),
                validation=("08-01", "09-01"),
                shadow=("07-01", "08-01"),
            ),
        ),
    ),
    Act(
        "Undo",
        "The weather feed fails. A person triggers the rollback, with a reason.",
        (
            Run(
                "flight_delay_rollback",
                {
                    "model": "flight-delay",
                    "reason": "The weather feed has been down since noon; version 1 needs none.",
                },
            ),
        ),
    ),
)
