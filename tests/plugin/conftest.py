"""An Airflow of the tests' own: a home in a temporary folder, set before Airflow is imported."""

from __future__ import annotations

import os
import tempfile

_HOME = "TEST_AIRFLOW_HOME"

if _HOME not in os.environ:
    home = tempfile.mkdtemp(prefix="airflow-")
    os.environ.update(
        {
            _HOME: home,
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        }
    )
