"""The environment of a part: a clean one, so that no setting of the caller's leaks in."""

from __future__ import annotations

import os
from collections.abc import Mapping

_FOREIGN = ("AIRFLOW", "AWS_", "MLFLOW_", "MODEL_LIFECYCLE_", "PG", "PYTEST_", "PYTHONWARNINGS")


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without the variables of other registries, plus ``settings``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {**inherited, "PYTHONUNBUFFERED": "1", **settings}
