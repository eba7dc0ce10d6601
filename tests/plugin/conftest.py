"""An Airflow of the tests' own: a home in a temporary folder, set before Airflow is imported."""

from __future__ import annotations

from support.airflow_home import prepare

prepare()
