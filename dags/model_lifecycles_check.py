"""Airflow import errors, and no DAG, for the YAML files in ``lifecycles/`` that are wrong.

A file of its own, since Airflow hides every DAG of a file that has an import error.
"""

from __future__ import annotations

from pathlib import Path

from model_lifecycle.operators import check_lifecycles

check_lifecycles(Path(__file__).parent / "lifecycles")
