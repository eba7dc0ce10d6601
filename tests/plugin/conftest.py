"""An Airflow of the tests' own: a home in a temporary folder, set before Airflow is imported."""

from __future__ import annotations

from scenery.airflow_home import prepare

prepare()
