"""The Airflow of the tests' own: one home for the whole session, set before Airflow is imported."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_HOME = "TEST_AIRFLOW_HOME"


def prepare() -> None:
    """Point Airflow at a temporary home, once, whichever folder's tests come first."""
    if _HOME in os.environ:
        return
    home = tempfile.mkdtemp(prefix="airflow-")
    os.environ.update(
        {
            _HOME: home,
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parents[1] / "operators" / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        }
    )
